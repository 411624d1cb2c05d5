package fakes3

import (
	"encoding/xml"
	"fmt"
	"maps"
	"net/http"

	"microsecrets/lib/fakeaws/internal/service"
)

// A document is a part of a bucket's configuration that is kept as the client
// wrote it.
type document struct {
	root    string
	missing *service.Error
	check   func(inner string) (kept string, err error) // nil: clients cannot write it
}

// documents by the parameter that names them.
var documents = map[string]document{
	"publicAccessBlock": {"PublicAccessBlockConfiguration",
		service.Errorf(http.StatusNotFound, "NoSuchPublicAccessBlockConfiguration", "The public access block configuration was not found"), checkPublicAccess},
	"ownershipControls": {"OwnershipControls",
		service.Errorf(http.StatusNotFound, "OwnershipControlsNotFoundError", "The bucket ownership controls were not found"), checkOwnership},
	"lifecycle": {"LifecycleConfiguration",
		service.Errorf(http.StatusNotFound, "NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist"), checkLifecycle},
	"encryption": {"ServerSideEncryptionConfiguration",
		service.Errorf(http.StatusNotFound, "ServerSideEncryptionConfigurationNotFoundError", "The server side encryption configuration was not found"), nil},
	"object-lock": {"ObjectLockConfiguration",
		service.Errorf(http.StatusNotFound, "ObjectLockConfigurationNotFoundError", "Object Lock configuration does not exist for this bucket"), nil},
}

// initialDocuments are those of a new bucket: nothing public, no access control
// lists, and S3's own encryption.
var initialDocuments = map[string]string{
	"publicAccessBlock": publicAccess{true, true, true, true}.String(),
	"ownershipControls": "<Rule><ObjectOwnership>" + ownerEnforced + "</ObjectOwnership></Rule>",
	"encryption": "<Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm></ApplyServerSideEncryptionByDefault>" +
		"<BucketKeyEnabled>false</BucketKeyEnabled></Rule>",
}

// oldDocuments are those of a bucket that was made before April 2023.
var oldDocuments = map[string]string{"encryption": initialDocuments["encryption"]}

// locked is the configuration of a bucket with object lock.
const locked = "<ObjectLockEnabled>Enabled</ObjectLockEnabled>"

func (c *call) getDocument() error {
	doc := documents[c.operation.query]
	text, ok := c.conf().Documents[c.operation.query]
	if !ok {
		return doc.missing.With("BucketName", c.bucketName)
	}
	return c.answer(doc.root, rawXML(text))
}

func (c *call) putDocument() error {
	var in struct {
		XMLName xml.Name
		Inner   string `xml:",innerxml"`
	}
	if err := c.readXML(&in); err != nil {
		return err
	}
	doc := documents[c.operation.query]
	if in.XMLName.Local != doc.root {
		return errMalformedXML
	}
	kept, err := doc.check("<x>" + in.Inner + "</x>")
	if err != nil {
		return err
	}
	return c.setDocument(http.StatusOK, func(all map[string]string) { all[c.operation.query] = kept })
}

func (c *call) deleteDocument() error {
	return c.setDocument(http.StatusNoContent, func(all map[string]string) { delete(all, c.operation.query) })
}

func (c *call) setDocument(status int, change func(map[string]string)) error {
	conf := c.conf()
	all := map[string]string{}
	maps.Copy(all, conf.Documents)
	change(all)
	conf.Documents = all
	return c.configure(conf, status)
}

type publicAccess struct{ BlockPublicAcls, IgnorePublicAcls, BlockPublicPolicy, RestrictPublicBuckets bool }

func (p publicAccess) String() string {
	return fmt.Sprintf("<BlockPublicAcls>%t</BlockPublicAcls><IgnorePublicAcls>%t</IgnorePublicAcls><BlockPublicPolicy>%t</BlockPublicPolicy><RestrictPublicBuckets>%t</RestrictPublicBuckets>",
		p.BlockPublicAcls, p.IgnorePublicAcls, p.BlockPublicPolicy, p.RestrictPublicBuckets)
}

func checkPublicAccess(text string) (string, error) {
	var p publicAccess
	if xml.Unmarshal([]byte(text), &p) != nil {
		return "", errMalformedXML
	}
	return p.String(), nil
}

const ownerEnforced = "BucketOwnerEnforced"

// checkOwnership takes ownerEnforced alone: there are no access control lists.
func checkOwnership(text string) (string, error) {
	var in struct {
		Rules []struct{ ObjectOwnership string } `xml:"Rule"`
	}
	if xml.Unmarshal([]byte(text), &in) != nil || len(in.Rules) != 1 {
		return "", errMalformedXML
	}
	if in.Rules[0].ObjectOwnership != ownerEnforced {
		return "", errNotImplemented
	}
	return initialDocuments["ownershipControls"], nil
}

// checkLifecycle takes any rules: nothing here lives long enough for them to act.
func checkLifecycle(text string) (string, error) {
	var in struct {
		Rules []struct{ ID, Status string } `xml:"Rule"`
	}
	if xml.Unmarshal([]byte(text), &in) != nil || len(in.Rules) == 0 || len(in.Rules) > 1000 {
		return "", errMalformedXML
	}
	ids := map[string]bool{}
	for _, rule := range in.Rules {
		if rule.Status != "Enabled" && rule.Status != "Disabled" || len(rule.ID) > 255 {
			return "", errMalformedXML
		}
		if rule.ID != "" && ids[rule.ID] {
			return "", errInvalidArgument("ID", "Rule ID must be unique. Found same ID for more than one rule")
		}
		ids[rule.ID] = true
	}
	return text[len("<x>") : len(text)-len("</x>")], nil
}

// getObjectTagging: objects have no tags, since those that are sent are refused.
func (c *call) getObjectTagging() error {
	if _, err := c.findVersion(c.bucket, c.key, c.query.Get("versionId")); err != nil {
		return err
	}
	return c.answer("Tagging", nodes{{"TagSet", ""}})
}
