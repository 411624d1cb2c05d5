package bucket

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"microsecrets/lib/fakeaws"
	"microsecrets/lib/internal/awsclient"
)

// TestVersionsEncoding holds that keys are taken as the answer says that they
// are written, and that a listing which does not go on ends.
func TestVersionsEncoding(t *testing.T) {
	emulated(t)
	const version = `<Version><Key>a%2Bb+c</Key><VersionId>v</VersionId></Version>`
	for _, c := range []struct{ answer, keys string }{
		{`<EncodingType>url</EncodingType>` + version, "a+b c"},
		{version + `<EncodingType>url</EncodingType>`, "a+b c"},
		{version, "a%2Bb+c"},
		{`<IsTruncated>true</IsTruncated><EncodingType>url</EncodingType>` + version, "a+b c, the answer cannot be used: it does not go on"},
		{`<IsTruncated>true</IsTruncated><NextKeyMarker>a%2Bb</NextKeyMarker>` + version,
			"a%2Bb+c, a%2Bb+c, the answer cannot be used: it does not go on"},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Write([]byte(`<ListVersionsResult>` + c.answer + `</ListVersionsResult>`))
		}))
		defer server.Close()
		t.Setenv("AWS_ENDPOINT_URL_S3", server.URL)
		opened, err := awsclient.Open(context.Background(), awsclient.Options{})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for v, err := range New(opened.S3(), fakeaws.DefaultBucket, Options{}).ListVersions(context.Background(), "") {
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

func FuzzVersions(f *testing.F) {
	f.Add([]byte(`<ListVersionsResult><EncodingType>url</EncodingType><Version><Key>a%2Fb</Key><VersionId>v</VersionId><IsLatest>true</IsLatest>` +
		`<LastModified>2026-01-02T03:04:05.000Z</LastModified><ETag>"e"</ETag><Size>1</Size></Version>` +
		`<DeleteMarker><Key>a</Key></DeleteMarker></ListVersionsResult>`))
	f.Add([]byte(`<ListVersionsResult><EncodingType>url</EncodingType><Version><Key>%</Key></Version></ListVersionsResult>`))
	f.Add([]byte(`<ListVersionsResult><Version><Size>-1x</Size></Version></ListVersionsResult>`))
	f.Add([]byte(`<`))
	f.Fuzz(func(t *testing.T, answer []byte) {
		var page versionsPage
		page.body.Write(answer)
		failed := false
		for v, err := range page.versions() {
			if failed {
				t.Fatal("goes on after an error")
			}
			failed = err != nil
			if err != nil && v != (Version{}) {
				t.Fatalf("%+v beside %v", v, err)
			}
		}
	})
}
