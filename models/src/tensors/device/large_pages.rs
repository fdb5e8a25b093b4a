//! Bytes that are read again and again from end to end, in memory of large pages.
//!
//! Every token of a language model reads all its weights. In pages of four kilobytes the processor spends as long on finding
//! where they are as on reading them. Where the system has no large pages, nothing is lost but the time.

use crate::tensors::device::mapped::Mapped;
use memmap2::MmapMut;
use std::sync::Arc;

/// The nearest cache is read in lines of so many bytes: a piece begins with one.
const LINE: usize = 64;

/// Signed bytes that nobody changes.
#[derive(Debug)]
pub(super) enum Bytes {
    /// As they came.
    Own(Vec<i8>),
    /// So many from this place on, of memory that several share.
    Shared(Arc<MmapMut>, usize, usize),
    /// So many from this place on, of a file.
    Kept(Arc<Mapped>, usize, usize),
}

impl Bytes {
    pub(super) fn as_slice(&self) -> &[i8] {
        match self {
            Bytes::Own(bytes) => bytes,
            Bytes::Shared(map, begin, length) => signed(&map[*begin..][..*length]),
            Bytes::Kept(file, begin, length) => signed(&file.bytes()[*begin..][..*length]),
        }
    }
}

/// The same bytes for files, which know no sign.
pub(super) fn unsigned(bytes: &[i8]) -> &[u8] {
    // SAFETY: as in `signed`.
    unsafe { std::slice::from_raw_parts(bytes.as_ptr().cast(), bytes.len()) }
}

fn signed(bytes: &[u8]) -> &[i8] {
    // SAFETY: a signed byte is as large as one without a sign, and every byte is one.
    unsafe { std::slice::from_raw_parts(bytes.as_ptr().cast(), bytes.len()) }
}

/// Moves bytes, each in memory of its own, into one stretch of large pages. Where there is no memory for it they stay.
pub(super) fn lay_together<'a>(all: impl Iterator<Item = &'a mut Bytes>) {
    let mut end = 0;
    let mut places = Vec::new();
    for bytes in all {
        let length = bytes.as_slice().len();
        places.push((bytes, end, length));
        end += length.next_multiple_of(LINE);
    }
    let Ok(mut map) = in_large_pages(end) else {
        return;
    };
    for (bytes, begin, length) in &mut places {
        let from = std::mem::replace(*bytes, Bytes::Own(Vec::new()));
        let to = map[*begin..][..*length].iter_mut();
        to.zip(from.as_slice())
            .for_each(|(to, &from)| *to = from as u8);
    }
    let map = Arc::new(map);
    for (bytes, begin, length) in places {
        *bytes = Bytes::Shared(map.clone(), begin, length);
    }
}

/// So many zeros; pages are given when they are first written.
fn in_large_pages(bytes: usize) -> std::io::Result<MmapMut> {
    let map = MmapMut::map_anon(bytes)?;
    // a hint: a system that does not know it gives small pages
    #[cfg(target_os = "linux")]
    let _ = map.advise(memmap2::Advice::HugePage);
    Ok(map)
}

/// Floats in memory of large pages, or where there is none, of the usual ones.
#[derive(Debug)]
pub(super) struct Floats {
    memory: Memory,
    count: usize,
}

#[derive(Debug)]
enum Memory {
    Large(MmapMut),
    Usual(Vec<f32>),
}

impl Floats {
    pub(super) fn zeros(count: usize) -> Self {
        let memory = in_large_pages(count * size_of::<f32>());
        let memory = memory.map_or_else(|_| Memory::Usual(vec![0.0; count]), Memory::Large);
        Self { memory, count }
    }

    pub(super) fn as_slice(&self) -> &[f32] {
        match &self.memory {
            // SAFETY: a page begins where a float may, it holds so many, and every four bytes are one.
            Memory::Large(map) => unsafe {
                std::slice::from_raw_parts(map.as_ptr().cast(), self.count)
            },
            Memory::Usual(floats) => floats,
        }
    }

    pub(super) fn as_mut_slice(&mut self) -> &mut [f32] {
        match &mut self.memory {
            // SAFETY: as in `as_slice`, and nothing else sees the map.
            Memory::Large(map) => unsafe {
                std::slice::from_raw_parts_mut(map.as_mut_ptr().cast(), self.count)
            },
            Memory::Usual(floats) => floats,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_the_same_wherever_they_lie() {
        let some =
            |count: i32, by: i32| (0..count).map(|n| (n * by % 251) as i8).collect::<Vec<_>>();
        let wanted = [some(100, 7), Vec::new(), some(4097, 3), some(1, 5)];
        let mut all = wanted.clone().map(Bytes::Own);
        for _ in 0..2 {
            lay_together(all.iter_mut());
            for (bytes, wanted) in all.iter().zip(&wanted) {
                assert!(matches!(bytes, Bytes::Shared(_, begin, _) if begin % LINE == 0));
                assert_eq!(bytes.as_slice(), wanted);
            }
        }
        let [first, ..] = all;
        assert_eq!(first.as_slice(), wanted[0], "the others are gone");
    }
}
