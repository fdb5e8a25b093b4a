//! A house rule that no compiler checks: a function takes four values at most, and none hides in a tuple.
//! Read as text, since the sources are formatted: a function's head begins its line.

use super::tidy::{assert_none, beyond_fn, files_ending};

const MOST: usize = 4;

#[test]
fn no_function_takes_more_than_four_values_in_tuples_or_not() {
    let mut offenders = Vec::new();
    for (file, text) in files_ending(&[".rs"]) {
        let mut at = 0;
        for (number, line) in text.split_inclusive('\n').enumerate() {
            let head = beyond_fn(line).map(|rest| at + line.len() - rest.len());
            at += line.len();
            let Some(parameters) = head.and_then(|head| parameters(&text[head..])) else {
                continue;
            };
            // the framework takes a request apart for its handler, a part a parameter
            let handles = parameters.iter().any(|taken| taken.contains(": Data<"));
            let taken: usize = parameters.iter().map(|taken| values(taken)).sum();
            if taken > MOST && !handles {
                offenders.push(format!("{file}:{}: {taken} values", number + 1));
            }
        }
    }
    assert_none(
        "give what belongs together a struct with a name, or its own method",
        &offenders,
    );
}

/// What a function takes besides `self`, from the text after `fn`.
fn parameters(after_fn: &str) -> Option<Vec<String>> {
    let bare: String = after_fn
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default())
        .collect::<Vec<_>>()
        .join(" ")
        // an arrow would close what nobody opened
        .replace("->", "")
        .replace("=>", "");
    let name = bare.find(['(', '<'])?;
    let generics = match bare[name..].starts_with('<') {
        true => closed(&bare[name..])? + 1,
        false => 0,
    };
    let list = bare[name + generics..].trim_start();
    let list = &list[1..closed(list)?];
    let taken = parts(list).filter(|taken| !is_self(taken));
    Some(taken.map(str::to_owned).collect())
}

/// Where the bracket is closed that a text begins with.
fn closed(text: &str) -> Option<usize> {
    let mut depth = 0;
    text.char_indices().find_map(|(at, mark)| {
        depth += step(mark);
        (depth == 0).then_some(at)
    })
}

fn step(mark: char) -> i32 {
    match mark {
        '(' | '[' | '{' | '<' => 1,
        ')' | ']' | '}' | '>' => -1,
        _ => 0,
    }
}

/// What stands between the commas that are in no bracket.
fn parts(list: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0;
    let parts = list.split(move |mark| {
        depth += step(mark);
        depth == 0 && mark == ','
    });
    parts.map(str::trim).filter(|part| !part.is_empty())
}

fn is_self(parameter: &str) -> bool {
    let name = parameter.split(':').next().unwrap_or_default();
    name.ends_with("self")
}

/// One, or as many as the tuple holds that a parameter is taken apart into.
fn values(parameter: &str) -> usize {
    if !parameter.starts_with('(') {
        return 1;
    }
    let end = closed(parameter).unwrap_or(parameter.len());
    parts(&parameter[1..end]).map(values).sum()
}

#[test]
fn every_value_of_a_tuple_is_counted() {
    let counted = |head: &str| -> usize {
        let parameters = parameters(head).unwrap();
        parameters.iter().map(|taken| values(taken)).sum()
    };
    assert_eq!(
        counted("a(&mut self, b: (u8, u8), f: impl Fn(u8, u8) -> u8)"),
        2
    );
    assert_eq!(
        counted(
            "a<T: Fn(u8) -> u8>(\n    (b, (c, d)): (u8, (u8, u8)), // e, f\n    [g, h]: [u8; 2],\n)"
        ),
        4
    );
    assert_eq!(counted("a(self) -> (u8, u8) {"), 0);
}
