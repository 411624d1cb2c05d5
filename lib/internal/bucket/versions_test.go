package bucket

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestVersionsEncoding holds that keys are taken as the answer says that they
// are written, and that a listing whose pages repeat ends.
func TestVersionsEncoding(t *testing.T) {
	emulated(t)
	const version = `<Version><Key>a%2Bb+c</Key><VersionId>v</VersionId></Version>`
	const stuck = "the answer, of HTTP status 200, is not one of S3's: the page after it would be the same again"
	for _, c := range []struct{ answer, keys string }{
		{`<EncodingType>url</EncodingType>` + version, "a+b c"},
		{version + `<EncodingType>url</EncodingType>`, "a+b c"},
		{version, "a%2Bb+c"},
		{`<IsTruncated>true</IsTruncated><EncodingType>url</EncodingType>` + version, stuck},
		{`<IsTruncated>true</IsTruncated><NextKeyMarker>a%2Bb</NextKeyMarker>` + version, "a%2Bb+c, " + stuck},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Write([]byte(`<ListVersionsResult>` + c.answer + `</ListVersionsResult>`))
		}))
		defer server.Close()
		t.Setenv("AWS_ENDPOINT_URL_S3", server.URL)
		var got []string
		for v, err := range opened(t).ListVersions(context.Background(), "") {
			if err != nil {
				v.Key = strings.TrimPrefix(err.Error(), listVersions+": ")
			}
			got = append(got, v.Key)
		}
		if strings.Join(got, ", ") != c.keys {
			t.Errorf("%s: %q", c.answer, got)
		}
	}
}
