package awsclient

import "testing"

func TestIsAmazon(t *testing.T) {
	for endpoint, want := range map[string]bool{
		"https://s3.eu-west-1.amazonaws.com":         true,
		"https://bucket.vpce-1.s3.amazonaws.com":     true,
		"https://s3.cn-north-1.amazonaws.com.cn":     true,
		"http://127.0.0.1:9000":                      false,
		"https://amazonaws.com.example.org":          false,
		"https://evilamazonaws.com":                  false,
		"https://minio.example.com/s3.amazonaws.com": false,
	} {
		if got := IsAmazon(endpoint); got != want {
			t.Errorf("%s: %v", endpoint, got)
		}
	}
}
