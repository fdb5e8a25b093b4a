//! `storyteller doctor`: looks at this machine and at the servers the service is told to use, and says line by line what is well,
//! what is not, and what to do. Servers and machine are looked at by `operation::doctor`; here stands what needs libtorch or an
//! embedded Postgres, and which options name what. What must stay true: they are the options that `serve`, `api` and `worker` take.

use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use embedded::EmbeddedPostgres;
use operation::doctor::{
    Finding, broker, database, is_well, open_files, pictures, room, temporary, write_json,
    write_lines,
};

use crate::commands::exits::said;
use crate::commands::place::{Locations, Weights};
use crate::commands::progress::LoadingBar;
use crate::commands::runtime::block_on;

/// What `doctor` takes.
#[derive(Args, Debug)]
// nothing is started here
#[command(mut_arg("database_url", |url| url.help(
    "The Postgres of the service [default: the one that `serve` starts with its data]"
)))]
pub(crate) struct Doctor {
    /// Where weights are.
    #[command(flatten)]
    weights: Weights,
    /// What keeps the service's data.
    #[command(flatten)]
    places: Locations,
    /// Print one JSON object: `well`, and `findings` with `part`, `state`, `found`, `todo`.
    #[arg(long)]
    json: bool,
    /// Look only at the servers and this machine, not at the bundle: as for a machine that runs the API alone.
    #[arg(long)]
    servers_only: bool,
}

impl Doctor {
    /// Prints what it found; exit code 1 if anything is wrong.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let mut findings = Vec::new();
        if !self.servers_only {
            findings.push(found(
                "bundle",
                self.bundle(),
                "run `make setup`, or name a whole bundle with --bundle",
            ));
            findings.push(found(
                "device",
                self.device(),
                "name another with --device, or use cpu",
            ));
        }
        findings.extend(block_on(async { Ok(self.services().await) })?);
        findings.extend([temporary(), open_files()]);
        let mut out = std::io::stdout().lock();
        if self.json {
            write_json(&findings, &mut out)?;
        } else {
            write_lines(&findings, &mut out)?;
        }
        Ok(ExitCode::from(u8::from(!is_well(&findings))))
    }

    fn bundle(&self) -> anyhow::Result<String> {
        let mut bar = LoadingBar::new();
        models::bundle::Bundle::open(&self.weights.bundle()?)?
            .remembering(&self.weights.cache()?)
            .verify(&mut |what, done, of| bar.show(what, done, of))?;
        drop(bar);
        let storyteller = crate::commands::tell::open(&self.weights)?;
        let styles = storyteller.styles().len();
        Ok(format!(
            "{} with {styles} styles, every file as its checksum says",
            storyteller.bundle_name()
        ))
    }

    fn device(&self) -> anyhow::Result<String> {
        let device = models::tensors::device::choose(&self.weights.device)?;
        Ok(format!("{device:?}, libtorch computes"))
    }

    async fn services(&self) -> Vec<Finding> {
        let folder = match self.places.data.folder() {
            Ok(folder) => folder,
            Err(error) => {
                let todo = "name it with --data";
                return vec![Finding::wrong("data folder", said(&error), todo)];
            }
        };
        let (mut findings, url) = match &self.places.database_url {
            Some(url) => (Vec::new(), Some(url.clone())),
            None => self.own_postgres(&folder).await,
        };
        let mut deployment = None;
        if let Some(url) = url {
            let database = database(&url).await;
            deployment = database.deployment;
            findings.extend(database.findings);
        }
        findings.extend(broker(&self.places.queue).await);
        // without a bucket or a folder of their own, pictures are with the data
        let beside = folder.join("images");
        let distributed = self.places.database_url.is_some();
        let default = (!distributed).then_some(beside.as_path());
        findings.push(pictures(&self.places.images, default, deployment).await);
        if !distributed {
            findings.push(room("data disk", &folder));
        } else if let Some(folder) = &self.places.images.images {
            findings.push(room("picture disk", folder));
        }
        if let Ok(cache) = self.weights.cache() {
            findings.push(room("cache disk", &cache));
        }
        findings
    }

    /// The Postgres of `serve`: whether there are programs, whether its folder can be used, and its address if it runs.
    async fn own_postgres(&self, folder: &Path) -> (Vec<Finding>, Option<String>) {
        let mut findings = vec![writable(folder)];
        let cache = self.weights.cache().unwrap_or_default();
        let programs = embedded::find_programs(self.places.postgres_bin.as_deref(), &cache);
        let programs = match programs {
            Ok(programs) => programs,
            Err(error) => {
                let todo = "install Postgres, or use one that runs: DATABASE_URL";
                findings.push(Finding::wrong("postgres", error.to_string(), todo));
                return (findings, None);
            }
        };
        let running = EmbeddedPostgres::running(folder).await;
        match running {
            Ok(Some(url)) => (findings, Some(url)),
            Ok(None) => {
                let found = format!(
                    "the service does not run; it would start {}",
                    programs.display()
                );
                findings.push(Finding::ok("postgres", found));
                (findings, None)
            }
            Err(error) => {
                let todo = "look at the folder as the user that the service runs as";
                findings.push(Finding::wrong("postgres", error.to_string(), todo));
                (findings, None)
            }
        }
    }
}

fn found(part: &'static str, looked: anyhow::Result<String>, todo: &str) -> Finding {
    match looked {
        Ok(found) => Finding::ok(part, found),
        Err(error) => Finding::wrong(part, said(&error), todo),
    }
}

fn writable(folder: &Path) -> Finding {
    let made = std::fs::create_dir_all(folder).and_then(|()| tempfile::tempfile_in(folder));
    match made {
        Ok(_) => Finding::ok(
            "data folder",
            format!("{} can be written", folder.display()),
        ),
        Err(error) => Finding::wrong(
            "data folder",
            format!("{}: {error}", folder.display()),
            "let this user write there, or name another with --data",
        ),
    }
}
