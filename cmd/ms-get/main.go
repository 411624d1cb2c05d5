// Ms-get fetches secrets, decrypts and verifies them.
package main

import (
	"os"

	"microsecrets/lib/tool"
	"microsecrets/lib/tool/get"
)

func main() {
	ctx, end := tool.Signals()
	status := get.Run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	end()
	os.Exit(status)
}
