//! Numeric arrays in numpy's files, as 32-bit floats.
//!
//! An npz is a ZIP archive of npy members. Floats of 16, 32 and 64 bits and whole numbers are taken,
//! in either memory order. The word tables of skip-thoughts are npy files that hold a pickle: an
//! array of rows, some of shape (d,) and some (1, d); they become one (n, d) array.

use super::array::{Array, from_bytes};
use super::pickle::{Value, read_pickle};
use models::{Error, Result};
use std::io::Read;
use std::path::Path;

/// Numbers of a trained network hardly shrink: a member that unfolds more than this is no array.
const MOST_UNFOLDING: u64 = 200;

/// Reads an npy file.
///
/// # Errors
/// When the file cannot be read, is damaged, or holds something else than numbers.
pub fn read_npy(path: &Path) -> Result<Array> {
    let bytes = std::fs::read(path).map_err(|e| Error::file("read", path, e))?;
    member(&bytes).map_err(|reason| Error::format(path.display().to_string(), reason))
}

/// Reads all arrays of an npz archive, in the order of the archive.
///
/// # Errors
/// When the file cannot be read, is no ZIP archive, or a member is damaged.
pub fn read_npz(path: &Path) -> Result<Vec<(String, Array)>> {
    read_npz_where(path, &|_| true)
}

/// As [`read_npz`], of the arrays whose names are wanted; the others are not unpacked.
///
/// # Errors
/// As [`read_npz`].
pub fn read_npz_where(path: &Path, wanted: &dyn Fn(&str) -> bool) -> Result<Vec<(String, Array)>> {
    let file = std::fs::File::open(path).map_err(|e| Error::file("read", path, e))?;
    let wrong = |reason: String| Error::format(path.display().to_string(), reason);
    let mut archive = zip::ZipArchive::new(file).map_err(|e| wrong(format!("no npz: {e}")))?;
    let mut arrays = Vec::new();
    for index in 0..archive.len() {
        let entry = archive.by_index(index).map_err(|e| wrong(e.to_string()))?;
        let name = entry.name().trim_end_matches(".npy").to_owned();
        if !wanted(&name) {
            continue;
        }
        let most = entry
            .compressed_size()
            .saturating_mul(MOST_UNFOLDING)
            .saturating_add(1 << 20);
        if entry.size() > most {
            return Err(wrong(format!("{name} unfolds to {} bytes", entry.size())));
        }
        let mut bytes = Vec::new();
        let mut entry = entry.take(most);
        entry
            .read_to_end(&mut bytes)
            .map_err(|e| wrong(format!("array `{name}`: {e}")))?;
        let array = member(&bytes).map_err(|reason| wrong(format!("array `{name}`: {reason}")))?;
        arrays.push((name, array));
    }
    Ok(arrays)
}

/// The names of the arrays of an npz archive; the arrays stay on disk.
///
/// # Errors
/// When the file cannot be read or is no ZIP archive.
pub fn npz_names(path: &Path) -> Result<Vec<String>> {
    let file = std::fs::File::open(path).map_err(|e| Error::file("read", path, e))?;
    let archive = zip::ZipArchive::new(file)
        .map_err(|e| Error::format(path.display().to_string(), format!("no npz: {e}")))?;
    let name = |name: &str| name.trim_end_matches(".npy").to_owned();
    Ok(archive.file_names().map(name).collect())
}

/// What the first bytes of an npy file say.
#[derive(Clone, Debug)]
pub(super) struct Header {
    /// A type such as `<f4`; with an `O` in it, a pickle follows.
    pub(super) kind: String,
    pub(super) fortran: bool,
    pub(super) shape: Vec<usize>,
}

/// The array of an npy file's bytes.
pub(super) fn member(bytes: &[u8]) -> Result<Array, String> {
    let (header, start) = header(bytes)?;
    if header.kind.contains('O') {
        let (value, _) = read_pickle(&bytes[start..]).map_err(|e| e.to_string())?;
        return stack(&value);
    }
    from_bytes(&header.kind, header.shape, header.fortran, &bytes[start..])
}

/// The header of an npy file, and where its numbers begin.
pub(super) fn header(bytes: &[u8]) -> Result<(Header, usize), String> {
    let version = *bytes
        .strip_prefix(b"\x93NUMPY")
        .and_then(|b| b.first())
        .ok_or("no npy file")?;
    let (start, length) = match version {
        1 => (
            10,
            bytes
                .get(8..10)
                .map(|b| usize::from(b[0]) | usize::from(b[1]) << 8),
        ),
        2 | 3 => {
            let length = bytes
                .get(8..12)
                .and_then(|b| b.try_into().ok())
                .map(u32::from_le_bytes);
            (12, length.map(|n| n as usize))
        }
        other => return Err(format!("npy version {other} is not known")),
    };
    let end = start + length.ok_or("the header is cut off")?;
    let header = bytes.get(start..end).ok_or("the header is cut off")?;
    let header = std::str::from_utf8(header).map_err(|e| e.to_string())?;
    let kind = after(header, "'descr'")?
        .split('\'')
        .nth(1)
        .ok_or("the header has no type")?;
    let fortran = after(header, "'fortran_order'")?
        .trim_start()
        .starts_with("True");
    let shape = after(header, "'shape'")?;
    let shape = shape
        .split(['(', ')'])
        .nth(1)
        .ok_or("the header has no shape")?;
    let extents = shape.split(',').map(str::trim).filter(|n| !n.is_empty());
    let extents = extents.map(|n| {
        n.trim_end_matches('L')
            .parse()
            .map_err(|_| "a broken shape")
    });
    let shape = extents.collect::<Result<_, _>>()?;
    let header = Header {
        kind: kind.to_owned(),
        fortran,
        shape,
    };
    Ok((header, end))
}

fn after<'a>(header: &'a str, key: &str) -> Result<&'a str, String> {
    let (_, rest) = header
        .split_once(key)
        .ok_or_else(|| format!("the header lacks {key}"))?;
    Ok(rest.trim_start().trim_start_matches(':'))
}

/// Rows of shape (d,) or (1, d) as one array.
fn stack(value: &Value) -> Result<Array, String> {
    let rows = match value {
        Value::Array(array) => return Ok(array.clone()),
        Value::Objects(_, rows) | Value::List(rows) => rows,
        _ => return Err("it does not hold rows of numbers".to_owned()),
    };
    let mut data = Vec::new();
    let mut width = None;
    for row in rows {
        let Value::Array(row) = row else {
            return Err("a row is no array".to_owned());
        };
        if *width.get_or_insert(row.data.len()) != row.data.len() {
            return Err("rows differ in length".to_owned());
        }
        data.extend_from_slice(&row.data);
    }
    Ok(Array {
        shape: vec![rows.len(), width.unwrap_or(0)],
        data,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn npy(header: &str, data: &[u8]) -> Vec<u8> {
        let length = (header.len() as u16).to_le_bytes();
        [&b"\x93NUMPY\x01\x00"[..], &length, header.as_bytes(), data].concat()
    }

    #[test]
    fn both_memory_orders_and_double_precision_are_read() {
        let numbers: Vec<u8> = (0..6).flat_map(|n| f64::from(n).to_le_bytes()).collect();
        let header = |order: &str| {
            format!("{{'descr': '<f8', 'fortran_order': {order}, 'shape': (2, 3L), }}\n")
        };
        let plain = member(&npy(&header("False"), &numbers)).unwrap();
        assert_eq!(
            (plain.shape, plain.data),
            (vec![2, 3], vec![0., 1., 2., 3., 4., 5.])
        );
        let turned = member(&npy(&header("True"), &numbers)).unwrap();
        assert_eq!(turned.data, [0., 2., 4., 1., 3., 5.]);
    }

    #[test]
    fn damaged_files_are_refused() {
        let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }\n";
        for bytes in [
            vec![],
            b"PK".to_vec(),
            npy(header, &[0; 7]),
            npy("{}", &[]),
            npy(header, &[]),
        ] {
            assert!(member(&bytes).is_err());
        }
        for kind in ["<f0", "é4", "<f999", "f", ""] {
            assert!(
                from_bytes(kind, vec![900_000_000_000_000_000], false, &[]).is_err(),
                "{kind}"
            );
        }
        let strange = header.replace("<f4", "<c8");
        assert!(member(&npy(&strange, &[0; 16])).unwrap_err().contains("c8"));
    }
}
