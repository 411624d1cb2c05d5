// Ms-ls lists the names of secrets.
package main

import (
	"microsecrets/lib/tool"
	"microsecrets/lib/tool/ls"
)

func main() { tool.Main(ls.Run) }
