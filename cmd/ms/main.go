// Ms is every program of the suite: "ms put" is ms-put, and so is a link of that
// name to ms.
package main

import (
	"os"

	"microsecrets/lib/tool"
	"microsecrets/lib/tool/ms"
)

func main() { tool.Main(ms.Program(os.Args[0])) }
