// Ms-put encrypts standard input, or a file, and stores it in S3 under a name.
package main

import (
	"microsecrets/lib/tool"
	"microsecrets/lib/tool/put"
)

func main() { tool.Main(put.Run) }
