//! A file of token ids as memory.

use memmap2::Mmap;
use std::fmt;
use std::fs::File;
use std::io;

/// A memory-mapped file of token ids: the system reads what is looked at and forgets what it has no
/// room for.
pub(in crate::data) struct TokenFile {
    /// Page-aligned, and checked to be whole ids long.
    map: Mmap,
}

impl TokenFile {
    /// The file's whole ids.
    pub(in crate::data) fn map(file: &File) -> io::Result<Self> {
        // SAFETY: a mapping is sound as long as nobody changes or cuts the file. Those who write
        // caches create a new file in a folder of their own, and never open it for writing once its
        // folder has got its name: a cache is replaced by renaming and removing, which leaves
        // mapped files as they are. What others do to the files is outside of this program, as it
        // is for its code, which is mapped the same way.
        #[allow(unsafe_code)]
        let map = unsafe { Mmap::map(file) }?;
        if map.len() % size_of::<u32>() != 0 {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "ends within an id",
            ));
        }
        Ok(Self { map })
    }

    /// All of them, without a copy.
    pub(in crate::data) fn ids(&self) -> &[u32] {
        bytemuck::cast_slice(&self.map)
    }
}

impl fmt::Debug for TokenFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenFile")
            .field("ids", &self.ids().len())
            .finish()
    }
}
