// Ms-rm removes secrets.
package main

import (
	"microsecrets/lib/tool"
	"microsecrets/lib/tool/rm"
)

func main() { tool.Main(rm.Run) }
