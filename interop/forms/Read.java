import java.io.*;
import java.nio.charset.StandardCharsets;
import java.util.*;

/**
 * Reads a JSON array of documents (base64) of properties; writes a JSON array of
 * arrays NAME, VALUE, NAME, VALUE ... (base64).
 */
class Read {
    public static void main(String[] args) throws IOException {
        String in = new String(System.in.readAllBytes(), StandardCharsets.US_ASCII);
        StringJoiner docs = new StringJoiner(",", "[", "]");
        for (String doc : in.replaceAll("[\\[\\]\"\\s]", "").split(",")) {
            Properties p = new Properties();
            p.load(new ByteArrayInputStream(Base64.getDecoder().decode(doc)));
            StringJoiner pairs = new StringJoiner(",", "[", "]");
            for (String name : p.stringPropertyNames()) {
                pairs.add(base64(name)).add(base64(p.getProperty(name)));
            }
            docs.add(pairs.toString());
        }
        System.out.print(docs);
    }

    static String base64(String s) {
        return '"' + Base64.getEncoder().encodeToString(s.getBytes(StandardCharsets.UTF_8)) + '"';
    }
}
