// Ms-exec becomes a command that has secrets in its environment or in files.
package main

import (
	"os"

	"microsecrets/lib/tool"
	"microsecrets/lib/tool/exec"
)

func main() {
	ctx, end := tool.Signals()
	status := exec.Run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	end()
	os.Exit(status)
}
