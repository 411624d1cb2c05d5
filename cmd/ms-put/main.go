// Ms-put encrypts standard input, or a file, and stores it in S3 under a name.
package main

import (
	"os"

	"microsecrets/lib/tool"
	"microsecrets/lib/tool/put"
)

func main() {
	ctx, end := tool.Signals()
	status := put.Run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	end()
	os.Exit(status)
}
