//! Numbers of a tensor in a file, read in pieces.

use burn::tensor::{bf16, f16};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

/// Numbers in a piece.
const PIECE: usize = 1 << 18;

/// The types that weights are read from.
#[derive(Clone, Copy)]
pub(super) enum Float {
    F16,
    Bf16,
    F32,
    F64,
}

impl Float {
    pub(super) fn parse(name: &str) -> Option<Self> {
        match name {
            "F16" => Some(Self::F16),
            "BF16" => Some(Self::Bf16),
            "F32" => Some(Self::F32),
            "F64" => Some(Self::F64),
            _ => None,
        }
    }

    pub(super) const fn bytes(self) -> usize {
        match self {
            Self::F16 | Self::Bf16 => 2,
            Self::F32 => 4,
            Self::F64 => 8,
        }
    }

    /// One number as f32, of as many bytes as it has.
    fn number(self, bytes: &[u8]) -> f32 {
        match self {
            Self::F16 => f16::from_le_bytes(first(bytes)).to_f32(),
            Self::Bf16 => bf16::from_le_bytes(first(bytes)).to_f32(),
            Self::F32 => f32::from_le_bytes(first(bytes)),
            Self::F64 => f64::from_le_bytes(first(bytes)) as f32,
        }
    }
}

fn first<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.first_chunk().copied().unwrap_or([0; N])
}

/// The numbers of one tensor, as f32.
pub(super) struct Numbers {
    file: File,
    float: Float,
    /// Bytes that were not read yet.
    left: u64,
    piece: Vec<u8>,
}

impl Numbers {
    /// Those of `bytes` bytes from `start` on.
    pub(super) fn open(path: &Path, float: Float, start: u64, bytes: u64) -> io::Result<Self> {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(start))?;
        Ok(Self {
            file,
            float,
            left: bytes,
            piece: vec![0; PIECE * float.bytes()],
        })
    }

    /// The next of them, all but the last time as many; `None` at the end.
    pub(super) fn next_piece(&mut self) -> io::Result<Option<impl Iterator<Item = f32> + '_>> {
        let length = self.left.min(self.piece.len() as u64);
        if length == 0 {
            return Ok(None);
        }
        let (float, piece) = (self.float, &mut self.piece[..length as usize]);
        self.file.read_exact(piece)?;
        self.left -= length;
        let numbers = piece.chunks_exact(float.bytes());
        Ok(Some(numbers.map(move |bytes| float.number(bytes))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_have_all_numbers_of_every_type() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("numbers");
        let values: Vec<f32> = (0..PIECE as i32 + 3)
            .map(|i| (i % 100 - 50) as f32)
            .collect();
        for name in ["F16", "BF16", "F32", "F64"] {
            let float = Float::parse(name).unwrap();
            let bytes: Vec<u8> = values
                .iter()
                .flat_map(|value| match float {
                    Float::F16 => f16::from_f32(*value).to_le_bytes().to_vec(),
                    Float::Bf16 => bf16::from_f32(*value).to_le_bytes().to_vec(),
                    Float::F32 => value.to_le_bytes().to_vec(),
                    Float::F64 => f64::from(*value).to_le_bytes().to_vec(),
                })
                .collect();
            std::fs::write(&path, [&[7; 3], bytes.as_slice(), &[9; 5]].concat()).unwrap();
            let mut numbers = Numbers::open(&path, float, 3, bytes.len() as u64).unwrap();
            let (mut got, mut pieces) = (Vec::new(), 0);
            while let Some(piece) = numbers.next_piece().unwrap() {
                got.extend(piece);
                pieces += 1;
            }
            assert!(got == values && pieces == 2, "{name}");
        }
        assert!(Float::parse("I8").is_none());
    }

    #[test]
    fn what_f32_cannot_hold_is_not_finite() {
        for (value, finite) in [
            (1e38, true),
            (1e39, false),
            (f64::NAN, false),
            (-1e300, false),
            (0.0, true),
        ] {
            let number = Float::F64.number(&value.to_le_bytes());
            assert_eq!(number.is_finite(), finite, "{value}");
        }
        for bits in [0x7C00_u16, 0xFC00, 0x7E00] {
            assert!(!Float::F16.number(&bits.to_le_bytes()).is_finite());
        }
        for bits in [0x7F80_u16, 0xFF80, 0x7FC0] {
            assert!(!Float::Bf16.number(&bits.to_le_bytes()).is_finite());
        }
    }
}
