//! Matrices from memory and from files, and files written row by row, killed and gone on with.

use super::*;
use std::path::Path;

fn matrix(rows: i64, width: i64) -> Tensor {
    let ramp = Tensor::arange(rows * width, (Kind::Float, Device::Cpu));
    (ramp * 0.37).sin().view([rows, width])
}

fn write(path: &Path, arrays: &[(&str, Tensor, Kind)]) {
    let specs: Vec<ArraySpec> = arrays
        .iter()
        .map(|(name, rows, kind)| (*name, [rows.size()[0], rows.size()[1]], *kind))
        .collect();
    let mut writer = Writer::create(path, &specs).unwrap();
    for (_, rows, _) in arrays {
        for first in (0..rows.size()[0]).step_by(3) {
            let count = 3.min(rows.size()[0] - first);
            writer.append(&rows.narrow(0, first, count)).unwrap();
        }
    }
    writer.finish().unwrap();
}

fn same(a: &Tensor, b: &Tensor) -> bool {
    a.kind() == b.kind() && a.size() == b.size() && a.equal(b)
}

#[test]
fn rows_of_a_file_are_those_of_the_tensor() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("two.safetensors");
    let (one, two) = (matrix(10, 4), matrix(7, 5));
    write(
        &path,
        &[
            ("one", one.shallow_clone(), Kind::Float),
            ("two", two.shallow_clone(), Kind::Half),
        ],
    );
    let file = Arc::new(Mapped::open(&path).unwrap());
    for (name, rows) in [("one", one), ("two", two.to_kind(Kind::Half))] {
        let mapped = Matrix::map_safetensors(&file, name).unwrap();
        let held = Matrix::from_tensor(rows).unwrap();
        assert_eq!(
            (mapped.count(), mapped.width()),
            (held.count(), held.width())
        );
        let wanted = [5, 0, 5, 6, 1];
        assert!(same(&mapped.gather(&wanted), &held.gather(&wanted)));
        mapped.release();
        for (first, count) in [(0, 3), (5, 100), (100, 3)] {
            assert!(same(&mapped.block(first, count), &held.block(first, count)));
        }
    }
    let by_torch = Tensor::read_safetensors(&path).unwrap();
    assert_eq!(by_torch.len(), 2, "others read the file too");
}

#[test]
fn arrays_that_are_not_there_or_too_short_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("one.safetensors");
    write(&path, &[("one", matrix(2, 2), Kind::Float)]);
    let file = Arc::new(Mapped::open(&path).unwrap());
    let error = Matrix::map_safetensors(&file, "two")
        .unwrap_err()
        .to_string();
    assert!(error.contains("`two`") && error.contains("one"), "{error}");
    for shape in [[3, 1 << 40], [-1, 2], [i64::MAX, i64::MAX], [1000, 1]] {
        assert!(
            Matrix::map_raw(&file, 8, shape, Kind::Float).is_err(),
            "{shape:?}"
        );
    }
    std::fs::write(&path, b"no header").unwrap();
    let file = Arc::new(Mapped::open(&path).unwrap());
    assert!(Matrix::map_safetensors(&file, "one").is_err());
}

#[test]
fn a_killed_run_goes_on_at_its_last_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("long.safetensors");
    let specs = [("a", [4, 3], Kind::Float), ("b", [6, 2], Kind::Half)];
    let (a, b) = (matrix(4, 3), matrix(6, 2));
    let mut writer = Writer::resume(&path, &specs, "key").unwrap().unwrap();
    writer.append(&a).unwrap();
    writer.append(&b.narrow(0, 0, 2)).unwrap();
    writer.checkpoint().unwrap();
    writer.append(&b.narrow(0, 2, 3)).unwrap();
    drop(writer);
    assert!(!path.exists());
    let mut writer = Writer::resume(&path, &specs, "key").unwrap().unwrap();
    assert_eq!(writer.rows_done(), 6);
    assert!(
        writer.append(&matrix(1, 3)).is_err(),
        "a row of the other array"
    );
    assert!(writer.append(&matrix(5, 2)).is_err(), "a row too many");
    writer.append(&b.narrow(0, 2, 4)).unwrap();
    writer.finish().unwrap();
    let file = Arc::new(Mapped::open(&path).unwrap());
    assert!(same(
        &Matrix::map_safetensors(&file, "a").unwrap().block(0, 9),
        &a
    ));
    let rounded = b.to_kind(Kind::Half).to_kind(Kind::Float);
    assert!(same(
        &Matrix::map_safetensors(&file, "b").unwrap().block(0, 9),
        &rounded
    ));
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        1,
        "no draft is left"
    );
    assert!(
        Writer::resume(&path, &specs, "key").unwrap().is_none(),
        "it is whole"
    );
}

#[test]
fn a_draft_of_something_else_is_begun_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("long.safetensors");
    let spec = |rows| [("a", [rows, 3], Kind::Float)];
    let mut writer = Writer::resume(&path, &spec(4), "key").unwrap().unwrap();
    writer.append(&matrix(2, 3)).unwrap();
    writer.checkpoint().unwrap();
    drop(writer);
    for (rows, key) in [(5, "key"), (4, "other")] {
        let writer = Writer::resume(&path, &spec(rows), key).unwrap().unwrap();
        assert_eq!(writer.rows_done(), 0);
    }
    let short = Writer::create(&path, &spec(4)).unwrap();
    assert!(
        short
            .finish()
            .unwrap_err()
            .to_string()
            .contains("0 rows of 4")
    );
}
