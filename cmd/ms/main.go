// Ms runs the other programs: "ms put" runs ms-put.
package main

import (
	"context"
	"os"

	"microsecrets/lib/tool/ms"
)

func main() {
	os.Exit(ms.Run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
