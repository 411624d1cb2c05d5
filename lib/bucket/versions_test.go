package bucket

import "testing"

func FuzzVersions(f *testing.F) {
	f.Add([]byte(`<ListVersionsResult><Version><Key>a%2Fb</Key><VersionId>v</VersionId><IsLatest>true</IsLatest>` +
		`<LastModified>2026-01-02T03:04:05.000Z</LastModified><ETag>"e"</ETag><Size>1</Size></Version>` +
		`<DeleteMarker><Key>a</Key></DeleteMarker></ListVersionsResult>`))
	f.Add([]byte(`<ListVersionsResult><Version><Key>%</Key></Version></ListVersionsResult>`))
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
