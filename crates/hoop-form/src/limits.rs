//! What a form may have.

/// What a form may have; what has more is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Fields that are no files.
    pub fields: usize,
    /// Files.
    pub files: usize,
    /// Bytes of one field that is no file.
    pub field_size: usize,
    /// Bytes of a part's head, and of what stands before the first boundary.
    pub head: usize,
    /// Headers of a part.
    pub headers: usize,
    /// A file with more bytes does not stay in memory.
    pub file_in_memory: usize,
    /// Nor does one of more than [`Limits::SMALL_FILE`], where all files in memory would have more than this.
    pub files_in_memory: usize,
    /// How many do not: each of them is an open file of the process, which may have a thousand of all kinds.
    pub files_on_disk: usize,
}

impl Limits {
    /// A file of no more bytes always stays in memory: a descriptor for each would be dearer.
    pub const SMALL_FILE: usize = 64 * 1024;
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            fields: 1000,
            files: 1000,
            field_size: 1024 * 1024,
            head: 16 * 1024,
            headers: 32,
            file_in_memory: 1024 * 1024,
            files_in_memory: 8 * 1024 * 1024,
            files_on_disk: 64,
        }
    }
}
