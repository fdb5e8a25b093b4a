//! No circles: of the modules of a folder, each with all that is inside it, none uses one that leads back to it.
//! So a reader can begin at the bottom of any folder. Paths that begin with `crate`, `super` or `self` are followed; a module
//! and what is inside it are one thing to each other. What must stay true: there is no list of exceptions.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;

use super::tidy::{assert_none, files_ending};

/// Names from the crate's root to a module.
type Path = Vec<String>;
/// For each module of a folder those that it uses, with the file that does.
type Floor = BTreeMap<String, BTreeMap<String, String>>;

/// A crate's modules and their texts without comments and tests.
struct House {
    modules: BTreeMap<Path, (String, String)>,
}

impl House {
    fn of(root: &str, files: &[(String, String)]) -> House {
        let comment = Regex::new(r"//.*").unwrap();
        let tests = Regex::new(r"#\[cfg\(test\)\]\s*mod \w+ \{[\s\S]*").unwrap();
        let inside = files.iter().filter_map(|(file, text)| {
            let path = file.strip_prefix(root)?.strip_suffix(".rs")?;
            let mut names: Path = path.split('/').map(str::to_owned).collect();
            let last = names.last().map(String::as_str);
            if names.len() == 1 && matches!(last, Some("lib" | "main")) {
                names.clear();
            }
            let text = tests.replace(text, "");
            let text = comment.replace_all(&text, "").into_owned();
            let tested = names.iter().any(|name| name == "tests");
            (!tested).then(|| (names, (file.clone(), text)))
        });
        House {
            modules: inside.collect(),
        }
    }

    /// The module that this path leads to from `from`: the longest beginning of it that is one.
    fn module(&self, from: &Path, path: &str) -> Option<Path> {
        let mut names = path.split("::").peekable();
        let mut at = match names.next()? {
            "crate" => Path::new(),
            "self" => from.clone(),
            _ => from[..from.len().saturating_sub(1)].to_vec(),
        };
        while names.next_if_eq(&"super").is_some() {
            at.pop();
        }
        at.extend(names.map(str::to_owned));
        while !self.modules.contains_key(&at) {
            at.pop()?;
        }
        Some(at)
    }

    fn used(&self, from: &Path, text: &str) -> BTreeSet<Path> {
        let plain = Regex::new(r"\b(?:crate|super|self)(?:::\w+)+").unwrap();
        let several = Regex::new(r"\b((?:crate|super|self)(?:::\w+)*)::\{([^}]*)\}").unwrap();
        let plain = plain.find_iter(text).map(|path| path.as_str().to_owned());
        let several = several.captures_iter(text).flat_map(|found| {
            let (_, [before, names]) = found.extract();
            let names = names
                .split(',')
                .map(str::trim)
                .filter(|name| !name.is_empty());
            names
                .map(|name| format!("{before}::{name}"))
                .collect::<Vec<_>>()
        });
        plain
            .chain(several)
            .filter_map(|path| self.module(from, &path))
            .collect()
    }

    /// What uses what, folder by folder.
    fn floors(&self) -> BTreeMap<Path, Floor> {
        let mut floors: BTreeMap<Path, Floor> = BTreeMap::new();
        for (from, (file, text)) in &self.modules {
            for to in self.used(from, text) {
                let common = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
                let (Some(user), Some(used)) = (from.get(common), to.get(common)) else {
                    continue;
                };
                floors
                    .entry(from[..common].to_vec())
                    .or_default()
                    .entry(user.clone())
                    .or_default()
                    .insert(used.clone(), file.clone());
            }
        }
        floors
    }
}

/// Whether `from` leads to `to`.
fn leads(floor: &Floor, from: &str, to: &str) -> bool {
    let (mut seen, mut left) = (BTreeSet::new(), vec![from]);
    while let Some(at) = left.pop() {
        if at == to {
            return true;
        }
        if seen.insert(at) {
            let used = floor.get(at).into_iter().flat_map(BTreeMap::keys);
            left.extend(used.map(String::as_str));
        }
    }
    false
}

fn circles(house: &House) -> Vec<String> {
    let face = house.modules.iter().filter(|(from, (_, text))| {
        !from.is_empty() && house.used(from, text).contains(&Path::new())
    });
    let mut found: Vec<String> = face
        .map(|(_, (file, _))| format!("{file}: uses the crate's face, which uses everything"))
        .collect();
    for floor in house.floors().values() {
        for (user, used) in floor {
            let back = used.iter().filter(|(used, _)| leads(floor, used, user));
            found.extend(
                back.map(|(used, file)| format!("{file}: `{used}` leads back to `{user}`")),
            );
        }
    }
    found
}

#[test]
fn no_module_uses_one_that_leads_back_to_it() {
    let files = files_ending(&[".rs"]);
    let roots: BTreeSet<&str> = files
        .iter()
        .filter_map(|(file, _)| {
            file.strip_suffix("lib.rs")
                .or_else(|| file.strip_suffix("main.rs"))
        })
        .filter(|root| *root == "src/" || root.ends_with("/src/") || root.contains("/examples/"))
        .collect();
    assert!(roots.len() > 10, "{roots:?}");
    let offenders: Vec<String> = roots
        .iter()
        .flat_map(|root| circles(&House::of(root, &files)))
        .collect();
    assert_none("carry what both use into a module below them", &offenders);
}

#[test]
fn a_circle_is_seen_also_where_it_goes_through_folders() {
    let file = |name: &str, text: &str| (format!("x/src/{name}.rs"), text.to_owned());
    let through = [
        file("lib", "mod a;\nmod b;"),
        file("a", "mod inner;"),
        file("a/inner", "use crate::b::{B, other};"),
        file("b", "mod deep;\npub struct B;"),
        file("b/deep", "use super::super::a::A;"),
    ];
    assert_eq!(circles(&House::of("x/src/", &through)).len(), 2);
    let parent = [
        file("a", "mod inner;\nuse self::inner::I;"),
        file("a/inner", "use super::A;"),
    ];
    assert_eq!(circles(&House::of("x/src/", &parent)), Vec::<String>::new());
}
