// Ms-cp copies secrets, each encrypted anew under its new name.
package main

import (
	"microsecrets/lib/tool"
	"microsecrets/lib/tool/cp"
)

func main() { tool.Main(cp.Run) }
