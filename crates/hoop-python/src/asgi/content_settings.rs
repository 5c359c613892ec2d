//! How files are served and what the application sends is compressed, as Python gives it.

use std::path::PathBuf;

use hoop_net::{Coding, Compression, FileSettings, FilesError, Levels, StaticFiles};
use http::HeaderValue;
use pyo3::prelude::*;

/// What of a `hoopsnake.ServerConfig` concerns contents, checked where it was made.
#[derive(FromPyObject)]
pub struct ContentSettings {
    #[pyo3(attribute("static"))]
    folders: Vec<(String, PathBuf)>,
    static_cache_control: Option<String>,
    static_index: String,
    static_hidden: bool,
    static_precompressed: bool,
    static_memory: usize,
    compress: Vec<String>,
    compress_min_size: u64,
    compress_zstd_level: i32,
    compress_br_level: u32,
    compress_gzip_level: u32,
}

impl ContentSettings {
    /// The folders that are served, if there are any.
    pub fn files(&self, root_path: &str) -> Result<Option<StaticFiles>, FilesError> {
        if self.folders.is_empty() {
            return Ok(None);
        }
        let cache_control = self.static_cache_control.as_deref();
        StaticFiles::new(FileSettings {
            folders: self.folders.clone(),
            cache_control: cache_control.and_then(|value| HeaderValue::from_str(value).ok()),
            index: Some(self.static_index.clone()).filter(|name| !name.is_empty()),
            hidden: self.static_hidden,
            precompressed: self.static_precompressed,
            memory: self.static_memory,
            root_path: root_path.to_owned(),
        })
        .map(Some)
    }

    /// How responses are compressed, if they are.
    pub fn compression(&self) -> Option<Compression> {
        let codings: Vec<_> =
            self.compress.iter().filter_map(|name| Coding::named(name.as_bytes())).collect();
        if codings.is_empty() {
            return None;
        }
        let levels = Levels {
            zstd: self.compress_zstd_level,
            brotli: self.compress_br_level,
            gzip: self.compress_gzip_level,
        };
        Some(Compression { codings, least: self.compress_min_size, levels })
    }
}
