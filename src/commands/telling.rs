//! How a story is told, said on the command line.
//! `tell`, `submit` and `batch` take it. What must stay true: names of values, defaults and limits are those of
//! [`StoryRequest`] and stand there alone.

use clap::Args;
use jobs::{Compat, Form, Mode, StoryRequest};

use crate::commands::exits::WrongUse;

/// How a story is told.
#[derive(Args, Clone, Debug)]
pub(crate) struct Telling {
    /// The style: a name from `storyteller styles`, or a mix such as romance:0.7,adventure:0.3.
    #[arg(long, default_value_t = StoryRequest::default().style)]
    pub(crate) style: String,
    /// How far to shift from captions to the style: 0 not at all, 1 as the original did, at most 2.
    #[arg(long, default_value_t = StoryRequest::default().style_strength, value_name = "N")]
    style_strength: f64,
    /// How many of the nearest captions the story is made of, at most 1000.
    #[arg(long, short, default_value_t = StoryRequest::default().captions)]
    k: u32,
    /// How many sentences-to-be the search keeps, at most 100: wider is slower and more likely prose.
    #[arg(long, default_value_t = StoryRequest::default().beam_width)]
    beam: u32,
    /// The most words a story may have, 20 to 400.
    #[arg(long, default_value_t = StoryRequest::default().max_words)]
    max_words: u32,
    /// How many stories of each picture, at most 4, the best first.
    #[arg(long, default_value_t = StoryRequest::default().count)]
    count: u32,
    /// Break the story at its commas, one line each.
    #[arg(long)]
    lyrics: bool,
    /// Write for people, or exactly by the rules of the original of 2015: its likeliest text as bare tokens without the
    /// last one, however long; the picture not turned as its EXIF entry says.
    #[arg(long, value_enum, default_value_t = StoryRequest::default().compat)]
    compat: Compat,
    /// Draw sentences by chance and choose the best of each twelve (with --beam fewer), or search for the likeliest one
    /// [default: sample, and beam for strict stories, which are always searched for].
    #[arg(long, value_enum)]
    mode: Option<Mode>,
    /// Drawn stories: the same seed draws the same story, another one another story [default: 1].
    #[arg(long)]
    seed: Option<u64>,
    /// Drawn stories: below 1 safer, above 1 wilder.
    #[arg(long, default_value_t = StoryRequest::default().temperature)]
    temperature: f64,
    /// Drawn stories: draw from the likeliest words that together have this probability.
    #[arg(long, default_value_t = StoryRequest::default().top_p)]
    top_p: f64,
}

impl Telling {
    /// The same as a request to the service.
    pub(crate) fn request(&self) -> StoryRequest {
        let request = StoryRequest {
            style: self.style.clone(),
            style_strength: self.style_strength,
            form: if self.lyrics {
                Form::Lyrics
            } else {
                Form::Prose
            },
            beam_width: self.beam,
            captions: self.k,
            max_words: self.max_words,
            mode: self.mode,
            temperature: self.temperature,
            top_p: self.top_p,
            seed: self.seed,
            compat: self.compat,
            count: self.count,
            ..StoryRequest::default()
        };
        request.filled_in()
    }
}

/// The request, if all of it is within its limits.
///
/// # Errors
/// The first option that is not, by the name that it has on the command line.
pub(crate) fn checked(request: StoryRequest) -> Result<StoryRequest, WrongUse> {
    match request.validate() {
        Ok(()) => Ok(request),
        Err(problem) => Err(WrongUse {
            option: option(&problem.field),
            why: problem.message,
        }),
    }
}

/// What a field of a request is called here.
fn option(field: &str) -> String {
    match field {
        "beam_width" => "--beam".to_owned(),
        "captions" => "--k".to_owned(),
        "metadata" => "--label".to_owned(),
        other => format!("--{}", other.replace('_', "-")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use clap::{CommandFactory as _, FromArgMatches as _};

    use super::*;
    use crate::commands::command_line::CommandLine;

    fn told(options: &[&str]) -> StoryRequest {
        let command = Telling::augment_args(clap::Command::new("test").no_binary_name(true));
        let matches = command.try_get_matches_from(options).unwrap();
        Telling::from_arg_matches(&matches).unwrap().request()
    }

    #[test]
    fn without_options_a_story_is_asked_for_as_the_service_would_tell_it() {
        assert_eq!(told(&[]), StoryRequest::default().filled_in());
        let strict = told(&["--compat", "strict"]);
        assert_eq!((strict.mode, strict.seed), (Some(Mode::Beam), None));
        assert!(checked(told(&["--compat", "strict", "--mode", "sample"])).is_err());
    }

    #[test]
    fn what_is_out_of_its_limits_is_called_as_it_was_typed() {
        for (options, name) in [
            (["--beam", "0"], "--beam"),
            (["--k", "1001"], "--k"),
            (["--max-words", "19"], "--max-words"),
            (["--count", "5"], "--count"),
            (["--style-strength", "3"], "--style-strength"),
            (["--style", "Sea"], "--style"),
            (["--top-p", "0"], "--top-p"),
        ] {
            let wrong = checked(told(&options)).unwrap_err();
            assert_eq!(wrong.option, name);
        }
    }

    #[test]
    fn every_field_of_a_request_that_has_limits_has_its_option() {
        let line = CommandLine::command();
        let submit = line.find_subcommand("submit").unwrap();
        let known: Vec<String> = submit
            .get_arguments()
            .filter_map(|argument| argument.get_long())
            .map(|long| format!("--{long}"))
            .collect();
        for field in StoryRequest::fields().filter(|field| *field != "form") {
            assert!(known.contains(&option(field)), "{field} cannot be said");
        }
    }
}
