//! Media types: of a file by its name, and which of them compressing makes smaller.

/// Content types by extension, in the order of the alphabet. Text says its charset; JavaScript is
/// `text/javascript` (RFC 9239).
const TYPES: &[(&str, &str)] = &[
    ("7z", "application/x-7z-compressed"),
    ("aac", "audio/aac"),
    ("apng", "image/apng"),
    ("appcache", "text/cache-manifest; charset=utf-8"),
    ("atom", "application/atom+xml"),
    ("avif", "image/avif"),
    ("bin", "application/octet-stream"),
    ("bmp", "image/bmp"),
    ("br", "application/octet-stream"),
    ("bz2", "application/x-bzip2"),
    ("cjs", "text/javascript; charset=utf-8"),
    ("css", "text/css; charset=utf-8"),
    ("csv", "text/csv; charset=utf-8"),
    ("doc", "application/msword"),
    ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ("eot", "application/vnd.ms-fontobject"),
    ("epub", "application/epub+zip"),
    ("flac", "audio/flac"),
    ("geojson", "application/geo+json"),
    ("gif", "image/gif"),
    ("glb", "model/gltf-binary"),
    ("gltf", "model/gltf+json"),
    ("gpx", "application/gpx+xml"),
    ("gz", "application/gzip"),
    ("heic", "image/heic"),
    ("htm", "text/html; charset=utf-8"),
    ("html", "text/html; charset=utf-8"),
    ("ico", "image/vnd.microsoft.icon"),
    ("ics", "text/calendar; charset=utf-8"),
    ("jpeg", "image/jpeg"),
    ("jpg", "image/jpeg"),
    ("js", "text/javascript; charset=utf-8"),
    ("json", "application/json"),
    ("jsonld", "application/ld+json"),
    ("jxl", "image/jxl"),
    ("m3u8", "application/vnd.apple.mpegurl"),
    ("m4a", "audio/mp4"),
    ("m4v", "video/mp4"),
    ("map", "application/json"),
    ("md", "text/markdown; charset=utf-8"),
    ("mid", "audio/midi"),
    ("mjs", "text/javascript; charset=utf-8"),
    ("mov", "video/quicktime"),
    ("mp3", "audio/mpeg"),
    ("mp4", "video/mp4"),
    ("mpd", "application/dash+xml"),
    ("mpeg", "video/mpeg"),
    ("odp", "application/vnd.oasis.opendocument.presentation"),
    ("ods", "application/vnd.oasis.opendocument.spreadsheet"),
    ("odt", "application/vnd.oasis.opendocument.text"),
    ("oga", "audio/ogg"),
    ("ogg", "audio/ogg"),
    ("ogv", "video/ogg"),
    ("opus", "audio/ogg"),
    ("otf", "font/otf"),
    ("parquet", "application/vnd.apache.parquet"),
    ("pdf", "application/pdf"),
    ("png", "image/png"),
    ("ppt", "application/vnd.ms-powerpoint"),
    ("pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation"),
    ("ps", "application/postscript"),
    ("rss", "application/rss+xml"),
    ("rtf", "application/rtf"),
    ("svg", "image/svg+xml"),
    ("tar", "application/x-tar"),
    ("tgz", "application/gzip"),
    ("tif", "image/tiff"),
    ("tiff", "image/tiff"),
    ("ttf", "font/ttf"),
    ("ttl", "text/turtle; charset=utf-8"),
    ("txt", "text/plain; charset=utf-8"),
    ("vtt", "text/vtt; charset=utf-8"),
    ("wasm", "application/wasm"),
    ("wav", "audio/wav"),
    ("weba", "audio/webm"),
    ("webm", "video/webm"),
    ("webmanifest", "application/manifest+json"),
    ("webp", "image/webp"),
    ("woff", "font/woff"),
    ("woff2", "font/woff2"),
    ("xhtml", "application/xhtml+xml"),
    ("xls", "application/vnd.ms-excel"),
    ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ("xml", "application/xml"),
    ("xsd", "application/xml"),
    ("xsl", "application/xml"),
    ("yaml", "application/yaml"),
    ("yml", "application/yaml"),
    ("zip", "application/zip"),
    ("zst", "application/zstd"),
];
const LONGEST_EXTENSION: usize = 12;

/// Types of which compressing makes less, beside `text/*`, `*+json`, `*+xml` and `*+text`.
const COMPRESSIBLE: &[&str] = &[
    "application/javascript",
    "application/json",
    "application/jsonl",
    "application/manifest+json",
    "application/msgpack",
    "application/rtf",
    "application/toml",
    "application/vnd.apple.mpegurl",
    "application/vnd.ms-fontobject",
    "application/wasm",
    "application/x-javascript",
    "application/x-ndjson",
    "application/x-protobuf",
    "application/x-sh",
    "application/x-tar",
    "application/x-yaml",
    "application/xml",
    "application/xml-dtd",
    "application/yaml",
    "font/otf",
    "font/ttf",
    "image/bmp",
    "image/vnd.microsoft.icon",
    "image/x-icon",
    "model/gltf-binary",
];
const LONGEST_TYPE: usize = 96;

/// The Content-Type of a file by the extension of its name; bytes of no known kind if it has none that
/// is known.
pub fn content_type_of(name: &[u8]) -> &'static str {
    let base = name.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    let dot = base.iter().rposition(|byte| *byte == b'.').filter(|place| *place > 0);
    let extension = dot.and_then(|dot| base.get(dot + 1..)).unwrap_or_default();
    lowered::<LONGEST_EXTENSION, _>(extension, |extension| {
        let place = TYPES.binary_search_by(|(known, _)| known.as_bytes().cmp(extension)).ok()?;
        TYPES.get(place).map(|(_, kind)| *kind)
    })
    .unwrap_or("application/octet-stream")
}

/// Whether content of that Content-Type becomes smaller when it is compressed.
pub fn is_compressible(content_type: &[u8]) -> bool {
    let essence = content_type.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    lowered::<LONGEST_TYPE, _>(essence, |essence| {
        let is = essence.starts_with(b"text/")
            || [&b"+json"[..], b"+xml", b"+text", b"+yaml"].iter().any(|suffix| essence.ends_with(suffix))
            || COMPRESSIBLE.binary_search_by(|known| known.as_bytes().cmp(essence)).is_ok();
        Some(is)
    })
    .unwrap_or(false)
}

/// Calls `with` with the bytes in lower case, if they are not too many.
fn lowered<const MOST: usize, T>(bytes: &[u8], with: impl FnOnce(&[u8]) -> Option<T>) -> Option<T> {
    let mut space = [0; MOST];
    let lowered = space.get_mut(..bytes.len())?;
    lowered.copy_from_slice(bytes);
    lowered.make_ascii_lowercase();
    with(lowered)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_can_be_searched() {
        assert!(TYPES.is_sorted_by(|one, other| one.0 < other.0));
        assert!(TYPES.iter().all(|(extension, _)| extension.len() <= LONGEST_EXTENSION));
        assert!(COMPRESSIBLE.is_sorted_by(|one, other| one < other));
        assert!(COMPRESSIBLE.iter().all(|kind| kind.len() <= LONGEST_TYPE));
    }

    #[test]
    fn a_file_is_known_by_the_end_of_its_name() {
        for (name, kind) in [
            ("a/b.CSS", "text/css; charset=utf-8"),
            ("app.min.js", "text/javascript; charset=utf-8"),
            ("a.tar.gz", "application/gzip"),
            ("LICENSE", "application/octet-stream"),
            (".html", "application/octet-stream"),
            ("a.html/b", "application/octet-stream"),
            ("a.", "application/octet-stream"),
            ("a.averyveryverylongextension", "application/octet-stream"),
            ("logo.svg", "image/svg+xml"),
        ] {
            assert_eq!(content_type_of(name.as_bytes()), kind, "{name}");
        }
    }

    #[test]
    fn text_can_be_compressed_and_what_is_compressed_cannot() {
        for kind in [
            "text/html; charset=utf-8",
            "Application/JSON",
            "image/svg+xml",
            "application/problem+json;x=y",
            "text/event-stream",
            "application/wasm",
            "application/rss+xml",
        ] {
            assert!(is_compressible(kind.as_bytes()), "{kind}");
        }
        for kind in [
            "",
            "image/png",
            "video/mp4",
            "application/zip",
            "application/octet-stream",
            "font/woff2",
            "application/grpc",
            "multipart/byteranges; boundary=x",
        ] {
            assert!(!is_compressible(kind.as_bytes()), "{kind}");
        }
        assert!(!is_compressible(&[b'x'; 500]));
    }
}
