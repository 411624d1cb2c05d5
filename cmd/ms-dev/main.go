// Ms-dev runs a command with an emulated S3 and KMS.
package main

import (
	"microsecrets/lib/tool"
	"microsecrets/lib/tool/dev"
)

func main() { tool.Main(dev.Run) }
