// Ms runs the other programs: "ms put" runs ms-put.
package main

import (
	"microsecrets/lib/tool"
	"microsecrets/lib/tool/ms"
)

func main() { tool.Main(ms.Run) }
