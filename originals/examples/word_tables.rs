//! Writes a pair of word tables of the published form and size, to measure what an import of them needs.
//! `cargo run -p originals --example word_tables -- FOLDER [ROWS] [WIDTH] [object|numeric]`: object is a pickled array of
//! rows, most of shape (1, d) and every 46th (d,), as the files of 2015 are; with them comes a `dictionary.txt`.

use std::fs::File;
use std::io::{BufWriter, Result, Write};
use std::path::Path;

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let folder = Path::new(args.first().map_or(".", String::as_str));
    let number = |place: usize, otherwise| {
        args.get(place)
            .and_then(|text| text.parse().ok())
            .unwrap_or(otherwise)
    };
    let (rows, width) = (number(1, 930_913), number(2, 620));
    let is_numeric = args.get(3).is_some_and(|form| form == "numeric");
    std::fs::create_dir_all(folder)?;
    let mut words = BufWriter::new(File::create(folder.join("dictionary.txt"))?);
    for row in 0..rows - 2 {
        writeln!(words, "word{row}")?;
    }
    words.write_all(b"<eos>\nUNK\n")?;
    for (name, seed) in [("utable.npy", 1), ("btable.npy", 2)] {
        let mut file = BufWriter::with_capacity(1 << 20, File::create(folder.join(name))?);
        if is_numeric {
            header(&mut file, "<f4", &format!("({rows}, {width})"))?;
            for row in 0..rows {
                file.write_all(&numbers(row + seed, width))?;
            }
        } else {
            header(&mut file, "|O", &format!("({rows},)"))?;
            pickled(&mut file, rows, width, seed)?;
        }
        file.flush()?;
    }
    Ok(())
}

fn header(file: &mut impl Write, kind: &str, shape: &str) -> Result<()> {
    let mut text = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}");
    while (text.len() + 11) % 16 != 0 {
        text.push(' ');
    }
    text.push('\n');
    file.write_all(b"\x93NUMPY\x01\x00")?;
    file.write_all(&(text.len() as u16).to_le_bytes())?;
    file.write_all(text.as_bytes())
}

/// Protocol 2, as Python 2 wrote an array of arrays: a thousand rows to an APPENDS.
fn pickled(file: &mut impl Write, rows: usize, width: usize, seed: usize) -> Result<()> {
    let reconstruct = b"\x80\x02cnumpy.core.multiarray\n_reconstruct\nq\x01cnumpy\nndarray\nq\x02K\x00\x85U\x01b\x87Rq\x03";
    file.write_all(reconstruct)?;
    file.write_all(b"(K\x01J")?;
    file.write_all(&(rows as u32).to_le_bytes())?;
    file.write_all(b"\x85cnumpy\ndtype\nq\x04U\x02O8K\x00K\x01\x87Rq\x05(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x3ftb\x89]q\x06(")?;
    for row in 0..rows {
        if row % 1000 == 0 && row > 0 {
            file.write_all(b"e(")?;
        }
        file.write_all(b"h\x01h\x02K\x00\x85U\x01b\x87Rr")?;
        file.write_all(&(row as u32 + 8).to_le_bytes())?;
        file.write_all(b"(K\x01")?;
        let flat = row % 46 == 0;
        file.write_all(if flat { b"M" } else { b"K\x01M" })?;
        file.write_all(&(width as u16).to_le_bytes())?;
        file.write_all(if flat { b"\x85" } else { b"\x86" })?;
        if row == 0 {
            file.write_all(b"h\x04U\x02f4K\x00K\x01\x87Rq\x07(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb")?;
        } else {
            file.write_all(b"h\x07")?;
        }
        let numbers = numbers(row + seed, width);
        file.write_all(b"\x89T")?;
        file.write_all(&(numbers.len() as u32).to_le_bytes())?;
        file.write_all(&numbers)?;
        file.write_all(b"tb")?;
    }
    file.write_all(b"etb.")
}

fn numbers(row: usize, width: usize) -> Vec<u8> {
    let number = |column: usize| ((row * 31 + column * 7) % 1999) as f32 / 1000.0 - 1.0;
    (0..width)
        .flat_map(|column| number(column).to_le_bytes())
        .collect()
}
