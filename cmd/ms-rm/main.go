// Ms-rm removes secrets.
package main

import (
	"os"

	"microsecrets/lib/tool"
	"microsecrets/lib/tool/rm"
)

func main() {
	ctx, end := tool.Signals()
	status := rm.Run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	end()
	os.Exit(status)
}
