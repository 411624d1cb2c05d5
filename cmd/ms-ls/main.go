// Ms-ls lists the names of secrets.
package main

import (
	"os"

	"microsecrets/lib/tool"
	"microsecrets/lib/tool/ls"
)

func main() {
	ctx, end := tool.Signals()
	status := ls.Run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	end()
	os.Exit(status)
}
