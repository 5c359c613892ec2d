//! Several parts of a whole in one body: multipart/byteranges (RFC 9110 section 14.6).

use crate::ranges::Part;

/// What stands around the parts of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ByteRanges {
    /// The Content-Type of the body.
    pub content_type: String,
    /// What stands before each part.
    pub heads: Vec<String>,
    /// What stands behind the last part.
    pub end: String,
    /// How many bytes the body has.
    pub length: u64,
}

impl ByteRanges {
    /// Writes what stands around parts of something that has `whole` bytes and is of `content_type`. No part
    /// may have the boundary in it, so it is one that nobody knows in advance.
    pub fn around(parts: &[Part], whole: u64, content_type: &str, boundary: &str) -> Self {
        let head = |part: &Part| {
            let range = part.content_range(whole);
            format!("\r\n--{boundary}\r\nContent-Type: {content_type}\r\nContent-Range: {range}\r\n\r\n")
        };
        let heads: Vec<String> = parts.iter().map(head).collect();
        let end = format!("\r\n--{boundary}--\r\n");
        let of_parts: u64 =
            parts.iter().zip(&heads).map(|(part, head)| part.length + head.len() as u64).sum();
        let length = of_parts + end.len() as u64;
        Self { content_type: format!("multipart/byteranges; boundary={boundary}"), heads, end, length }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_says_where_it_belongs() {
        let parts = [Part { from: 0, length: 2 }, Part { from: 90, length: 10 }];
        let around = ByteRanges::around(&parts, 100, "text/plain", "x");
        assert_eq!(around.content_type, "multipart/byteranges; boundary=x");
        assert_eq!(
            around.heads[1],
            "\r\n--x\r\nContent-Type: text/plain\r\nContent-Range: bytes 90-99/100\r\n\r\n"
        );
        assert_eq!(around.end, "\r\n--x--\r\n");
        let written = around.heads.concat().len() + around.end.len() + 12;
        assert_eq!(around.length, written as u64);
    }
}
