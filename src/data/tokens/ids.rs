//! Token ids, in memory or in a file.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// Token ids that are cheap to clone: of their own, or a part of a memory-mapped
/// [`TokenCache`](crate::data::TokenCache). Which of both does not show.
///
/// ```
/// use burn_kto::prelude::*;
/// let tokens = TokenIds::from(vec![7, 8, 9]);
/// assert_eq!(tokens, [7, 8, 9]);
/// assert_eq!(tokens.last(), Some(&9)); // all that a slice can do
/// ```
#[derive(Clone)]
pub struct TokenIds(Repr);

#[derive(Clone)]
enum Repr {
    Owned(Arc<[u32]>),
    /// 32 bits of length keep the whole at three words, as much as a `Vec` has.
    #[cfg(feature = "cache")]
    Mapped {
        file: Arc<crate::data::tokens::file::TokenFile>,
        start: usize,
        length: u32,
    },
}

#[cfg(feature = "cache")]
impl TokenIds {
    /// `length` ids of a file, from the id `start` on. The caller has checked that the file has
    /// them.
    pub(in crate::data) fn mapped(
        file: Arc<crate::data::tokens::file::TokenFile>,
        start: usize,
        length: u32,
    ) -> Self {
        Self(Repr::Mapped {
            file,
            start,
            length,
        })
    }
}

impl Default for TokenIds {
    fn default() -> Self {
        Self(Repr::Owned([].into()))
    }
}

impl Deref for TokenIds {
    type Target = [u32];

    fn deref(&self) -> &[u32] {
        match &self.0 {
            Repr::Owned(ids) => ids,
            #[cfg(feature = "cache")]
            Repr::Mapped {
                file,
                start,
                length,
            } => &file.ids()[*start..*start + *length as usize],
        }
    }
}

impl From<Vec<u32>> for TokenIds {
    fn from(ids: Vec<u32>) -> Self {
        Self(Repr::Owned(ids.into()))
    }
}

impl From<&[u32]> for TokenIds {
    fn from(ids: &[u32]) -> Self {
        Self(Repr::Owned(ids.into()))
    }
}

impl<const N: usize> From<[u32; N]> for TokenIds {
    fn from(ids: [u32; N]) -> Self {
        Self(Repr::Owned(ids.into()))
    }
}

impl FromIterator<u32> for TokenIds {
    fn from_iter<I: IntoIterator<Item = u32>>(ids: I) -> Self {
        Self(Repr::Owned(ids.into_iter().collect()))
    }
}

impl PartialEq for TokenIds {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for TokenIds {}

impl PartialEq<[u32]> for TokenIds {
    fn eq(&self, other: &[u32]) -> bool {
        **self == *other
    }
}

impl PartialEq<Vec<u32>> for TokenIds {
    fn eq(&self, other: &Vec<u32>) -> bool {
        **self == **other
    }
}

impl PartialEq<TokenIds> for Vec<u32> {
    fn eq(&self, other: &TokenIds) -> bool {
        **self == **other
    }
}

impl<const N: usize> PartialEq<[u32; N]> for TokenIds {
    fn eq(&self, other: &[u32; N]) -> bool {
        **self == *other
    }
}

impl AsRef<[u32]> for TokenIds {
    fn as_ref(&self) -> &[u32] {
        self
    }
}

impl fmt::Debug for TokenIds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
