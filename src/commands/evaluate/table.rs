//! Results of `evaluate` on standard output: lines of name and value, or one JSON object.
//! Every question prints through here, so that all look alike.

use std::io::Write as _;

/// Name and value.
pub(super) type Row = (String, String);

/// Prints `object` as JSON, or `lines` as a table.
pub(super) fn print(json: bool, object: &serde_json::Value, lines: &[Row]) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    if json {
        return writeln!(out, "{object}");
    }
    let width = lines
        .iter()
        .map(|(name, _)| name.chars().count())
        .max()
        .unwrap_or(0);
    for (name, value) in lines {
        writeln!(out, "{name:width$}  {value}")?;
    }
    Ok(())
}

/// A line of the table.
pub(super) fn line(name: &str, value: impl std::fmt::Display) -> Row {
    (name.to_owned(), value.to_string())
}
