//! The database: whether it answers, how old it is, whether its tables fit this program, and what its clock says.
//! What must stay true: a database that only waits for `storyteller migrate` is told from one that cannot be reached.

use jobs::store::looking::{Look, look};
use jobs::store::migrating::Tables;
use uuid::Uuid;

use super::Finding;

const PART: &str = "postgres";
/// The oldest that the tests run on.
const OLDEST: i32 = 15;
/// Webhooks are refused when they are five minutes off, S3 requests at fifteen, and times in answers look odd long before.
const CLOCKS_APART: i64 = 5;
/// What one more process of the service takes at first.
const CONNECTIONS_LEFT: i64 = 10;

/// What was found about a database.
pub struct Database {
    /// The findings, in the order of looking.
    pub findings: Vec<Finding>,
    /// Its id, if its tables have one: its pictures' names begin with it.
    pub deployment: Option<Uuid>,
}

/// Looks at the database at this address.
pub async fn database(url: &str) -> Database {
    match look(url).await {
        Ok(look) => Database {
            findings: vec![server(&look), tables(&look), clock(&look)],
            deployment: look.deployment,
        },
        Err(error) => Database {
            findings: vec![Finding::wrong(PART, error.to_string(), error.remedy())],
            deployment: None,
        },
    }
}

fn server(look: &Look) -> Finding {
    let Look { place, version, .. } = look;
    let way = if look.encrypted {
        "encrypted"
    } else if look.here {
        "on this machine"
    } else {
        "not encrypted"
    };
    let found = format!(
        "{version}, {place}, {way}, {} of {} connections in use",
        look.connections, look.most_connections
    );
    if look.major < OLDEST {
        return Finding::warning(
            PART,
            found,
            format!("use Postgres {OLDEST} or newer: this one is not tested"),
        );
    }
    if !look.encrypted && !look.here {
        let todo = "let it be encrypted: add sslmode=verify-full (or require) to DATABASE_URL, and TLS to the server";
        return Finding::warning(PART, found, todo);
    }
    if look.most_connections - look.connections < CONNECTIONS_LEFT {
        let todo =
            "raise max_connections of Postgres, or lower --database-connections of the services";
        return Finding::warning(PART, found, todo);
    }
    Finding::ok(PART, found)
}

fn tables(look: &Look) -> Finding {
    let part = "tables";
    let migrate = "bring them to this version: storyteller migrate";
    match look.tables {
        Tables::None => Finding::wrong(part, "there are none of the storyteller's", migrate),
        Tables::Behind { missing } => Finding::wrong(
            part,
            format!("of an older version: {missing} migrations are not taken yet"),
            migrate,
        ),
        Tables::Fit { newer: true } => {
            Finding::ok(part, "of a newer version, with all that this one needs")
        }
        Tables::Fit { newer: false } => Finding::ok(part, "of this version"),
    }
}

fn clock(look: &Look) -> Finding {
    let part = "clock";
    let seconds = look.ahead.num_seconds();
    if seconds.abs() < CLOCKS_APART {
        return Finding::ok(part, "the database's and this machine's agree");
    }
    let (by, side) = (
        seconds.abs(),
        if seconds > 0 { "ahead of" } else { "behind" },
    );
    Finding::wrong(
        part,
        format!("the database's is {by} s {side} this machine's"),
        "set both by NTP (timedatectl set-ntp true)",
    )
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::super::State;
    use super::*;

    fn look_of_a_sound_one() -> Look {
        Look {
            place: "stories at db.example:5432".to_owned(),
            version: "16.4".to_owned(),
            major: 16,
            encrypted: true,
            here: false,
            ahead: TimeDelta::zero(),
            tables: Tables::Fit { newer: false },
            deployment: None,
            connections: 3,
            most_connections: 100,
        }
    }

    #[test]
    fn what_cannot_be_brought_about_in_a_test_is_told_apart_all_the_same() {
        let sound = look_of_a_sound_one();
        assert_eq!(server(&sound).state, State::Ok);
        assert_eq!(clock(&sound).state, State::Ok);
        let plain = Look {
            encrypted: false,
            ..sound.clone()
        };
        let told = server(&plain);
        assert_eq!(told.state, State::Warning);
        assert!(told.found.contains("not encrypted"), "{told:?}");
        let old = Look {
            major: 12,
            ..sound.clone()
        };
        assert_eq!(server(&old).state, State::Warning);
        let full = Look {
            connections: 95,
            ..sound.clone()
        };
        assert_eq!(server(&full).state, State::Warning);
        let late = Look {
            ahead: TimeDelta::seconds(-61),
            ..sound
        };
        let told = clock(&late);
        assert_eq!(told.state, State::Wrong);
        assert!(told.found.contains("61 s behind"), "{told:?}");
    }
}
