// Ms-rotate encrypts secrets anew under today's key.
package main

import (
	"os"

	"microsecrets/lib/tool"
	"microsecrets/lib/tool/rotate"
)

func main() {
	ctx, end := tool.Signals()
	status := rotate.Run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	end()
	os.Exit(status)
}
