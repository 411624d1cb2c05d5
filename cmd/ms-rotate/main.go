// Ms-rotate encrypts secrets anew under today's key.
package main

import (
	"microsecrets/lib/tool"
	"microsecrets/lib/tool/rotate"
)

func main() { tool.Main(rotate.Run) }
