// Ms-dev runs a command with an emulated S3 and KMS.
package main

import (
	"context"
	"os"

	"microsecrets/lib/tool/dev"
)

func main() {
	os.Exit(dev.Run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
