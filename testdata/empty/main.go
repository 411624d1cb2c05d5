// Empty does nothing but import what the programs import of the AWS SDK. The
// benchmark of starting a program compares with it.
package main

import (
	_ "github.com/aws/aws-sdk-go-v2/config"
	_ "github.com/aws/aws-sdk-go-v2/service/kms"
	_ "github.com/aws/aws-sdk-go-v2/service/s3"
)

func main() {}
