//! The rules of `migrations/README.md` that can be read off a file: a migration only adds, and nobody waits for it.
//! A statement that takes away what no program of the version before knows any more says so in a line above it, which begins
//! with `-- contract:`. What must stay true: every file from [`FIRST`] on keeps the rules; those before are released.

use std::path::Path;

const FIRST: &str = "0023";
/// Written to all the time.
const BUSY: [&str; 2] = ["jobs", "deliveries"];
/// Takes away or changes what programs of the version before rely on.
const TAKES_AWAY: [&str; 11] = [
    "drop table",
    "drop column",
    "drop constraint",
    "drop function",
    "drop trigger",
    "drop index",
    "rename ",
    "set not null",
    "set data type",
    "add constraint",
    "truncate ",
];

/// What is wrong with a migration, if anything is.
fn faults(text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let mut made = Vec::new();
    for statement in statements(text) {
        let sql = statement.sql.as_str();
        let words: Vec<_> = sql
            .split([' ', '('])
            .filter(|word| !word.is_empty())
            .collect();
        if let ["create", "table", rest @ ..] = words.as_slice() {
            made.extend(
                rest.iter()
                    .find(|word| !["if", "not", "exists"].contains(word))
                    .copied()
                    .map(str::to_owned),
            );
        }
        let takes = TAKES_AWAY.iter().find(|words| sql.contains(**words));
        if let Some(words) = takes.filter(|_| !statement.contract) {
            faults.push(format!("`{}` takes away: {sql}", words.trim()));
        }
        for column in sql.split("add column").skip(1) {
            let column = column.split(", add ").next().unwrap_or_default();
            if column.contains("not null")
                && !column.contains("default")
                && !column.contains("generated")
            {
                faults.push(format!(
                    "an older program does not know to fill it: add column{column}"
                ));
            }
        }
        if sql.starts_with("create index") || sql.starts_with("create unique index") {
            let table = sql.split(" on ").nth(1).unwrap_or_default();
            let table = table.split([' ', '(']).next().unwrap_or_default();
            let busy = BUSY.contains(&table) && !made.iter().any(|made| made == table);
            let concurrently = sql.contains("concurrently if not exists");
            if busy && !concurrently {
                faults.push(format!("programs wait for it: {sql}"));
            }
            if concurrently
                && !(text.starts_with("-- no-transaction") && statements(text).len() == 1)
            {
                faults.push(format!(
                    "it must be alone in a file that begins with `-- no-transaction`: {sql}"
                ));
            }
        }
    }
    if !text.contains("Why:") {
        faults.push("it does not say why".to_owned());
    }
    faults
}

struct Statement {
    sql: String,
    /// It says that it takes something away on purpose.
    contract: bool,
}

/// In lower case with single spaces; the bodies of functions are not looked into.
fn statements(text: &str) -> Vec<Statement> {
    let outside: String = text.split("$$").step_by(2).collect();
    let statements = outside.split_inclusive(';').map(|statement| {
        let (comments, sql): (Vec<_>, Vec<_>) = statement
            .lines()
            .map(str::trim)
            .partition(|line| line.starts_with("--"));
        let contract = comments.iter().any(|line| line.starts_with("-- contract:"));
        let sql = sql
            .iter()
            .map(|line| line.split("--").next().unwrap_or_default());
        let sql = sql.collect::<Vec<_>>().join(" ").to_lowercase();
        let sql = sql.split_whitespace().collect::<Vec<_>>().join(" ");
        Statement { sql, contract }
    });
    statements
        .filter(|statement| !statement.sql.is_empty())
        .collect()
}

#[test]
fn migrations_only_add_and_nobody_waits_for_them() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations");
    let mut looked_at = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if !name.ends_with(".sql") || name.as_str() < FIRST {
            continue;
        }
        let faults = faults(&std::fs::read_to_string(&path).unwrap());
        assert!(faults.is_empty(), "{name}: {faults:#?}");
        looked_at += 1;
    }
    assert!(looked_at > 5);
}

#[test]
fn what_breaks_the_rules_of_migrations_is_seen() {
    for (wrong, word) in [
        ("alter table jobs drop column stage;", "takes away"),
        (
            "alter table jobs rename column stage to step;",
            "takes away",
        ),
        (
            "alter table jobs alter column stage set not null;",
            "takes away",
        ),
        (
            "alter table jobs add constraint x check (attempts < 4);",
            "takes away",
        ),
        (
            "alter table jobs add column a text not null, add column b text;",
            "does not know",
        ),
        ("create index a on jobs (id);", "wait"),
        (
            "create index concurrently if not exists a on jobs (id);",
            "alone",
        ),
    ] {
        let found = faults(&format!("-- Why: a try.\n{wrong}"));
        assert!(
            found.len() == 1 && found[0].contains(word),
            "{wrong}: {found:?}"
        );
    }
    for right in [
        "-- contract: unknown since 1.2\nalter table jobs drop column stage;",
        "alter table jobs add column a text, add column b int not null default 0;",
        "create table a (b text not null);\ncreate index c on a (b);",
        "create function f() returns trigger as $$ begin drop table a; end $$ language plpgsql;",
    ] {
        let found = faults(&format!("-- Why: a try.\n{right}"));
        assert!(found.is_empty(), "{right}: {found:?}");
    }
}
