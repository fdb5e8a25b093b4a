//! What a writer makes of a prompt and of texts: soft tokens at their place in a request, and how likely a text is.

use super::networks::llama;
use super::{CPU, smollm};
use models::Weights;
use models::networks::llama::Llama;
use models::networks::prefix::{PrefixMap, Spread};
use models::pipeline::writer::told::{Heard, Told};
use models::pipeline::writer::{Prompt, Writer};
use models::text::pieces::Pieces;
use models::text::wording::{Subject, ask};
use tch::{Kind, Tensor};

const THOUGHT: i64 = 8;
const SOFT: i64 = 3;

/// The published model with a map of thoughts of eight numbers to three soft tokens.
fn writer() -> Writer {
    writer_of(llama())
}

pub(super) fn writer_of(llama: Llama) -> Writer {
    let pieces = Pieces::from_gguf(&smollm()).unwrap();
    let width = llama.config().width;
    let random = |shape: &[i64]| Tensor::randn(shape, CPU) * 0.1;
    let arrays = [
        ("prefix.linear.weight", random(&[SOFT * width, THOUGHT])),
        ("prefix.linear.bias", random(&[SOFT * width])),
        ("prefix.hidden.weight", random(&[4, THOUGHT])),
        ("prefix.hidden.bias", random(&[4])),
        ("prefix.out.weight", random(&[SOFT * width, 4])),
        ("prefix.out.bias", random(&[SOFT * width])),
    ];
    let arrays = arrays.map(|(name, array)| (name.to_owned(), array));
    let spread = Spread {
        mean: Tensor::zeros([THOUGHT], CPU),
        std: Tensor::ones([THOUGHT], CPU),
    };
    let map = PrefixMap::load(&Weights::from_tensors("map", arrays), &spread, width).unwrap();
    let tokens = (0..llama.config().vocabulary).collect();
    Writer::new(llama, pieces, Some(map), tokens).unwrap()
}

fn prefix(writer: &Writer, wording: &str, thought: f64) -> Tensor {
    let told = told(writer, wording, thought);
    let before = String::new();
    writer.prefix(&Prompt { told, before }).unwrap()
}

/// A request of this wording, with a thought.
pub(super) fn told(writer: &Writer, wording: &str, thought: f64) -> Told {
    let words = ["dog".to_owned(), "sea".to_owned()];
    let subject = Subject {
        manner: "a tale",
        caption: "A dog by the sea.",
        words: &words,
        hero: "",
        turn: "",
    };
    let heard = Heard {
        thought: Tensor::full([THOUGHT], thought, CPU),
        style: Tensor::zeros([THOUGHT], CPU),
    };
    Told::asked(writer.pieces(), &ask(wording, &subject), heard).unwrap()
}

#[test]
fn soft_tokens_stand_where_a_request_has_a_place_for_them() {
    let writer = writer();
    let (before, after) = ("<|im_start|>Write {manner}: {caption}", "<|im_end|>\n");
    let plain = prefix(&writer, &format!("{before}{after}"), 1.0);
    assert!(plain.equal(&prefix(&writer, &format!("{before}{after}"), 2.0)));
    let soft = prefix(&writer, &format!("{before}{{thought}}{after}"), 1.0);
    assert_eq!(soft.size()[1], plain.size()[1] + SOFT);
    let place = writer
        .pieces()
        .encode("<|im_start|>Write a tale: a dog by the sea");
    let place = place.unwrap().len() as i64;
    let rest = plain.size()[1] - place;
    assert!(soft.narrow(1, 0, place).equal(&plain.narrow(1, 0, place)));
    assert!(
        soft.narrow(1, place + SOFT, rest)
            .equal(&plain.narrow(1, place, rest))
    );
    let other = prefix(&writer, &format!("{before}{{thought}}{after}"), 2.0);
    let apart = (&other - &soft)
        .abs()
        .sum_dim_intlist([0i64, 2].as_slice(), false, Kind::Float);
    let apart: Vec<f32> = Vec::try_from(apart).unwrap();
    let differing = apart.iter().enumerate().filter(|&(_, &apart)| apart > 0.0);
    let places: Vec<i64> = differing.map(|(at, _)| at as i64).collect();
    assert_eq!(places, [place, place + 1, place + 2]);
}

#[test]
fn english_is_likelier_than_its_words_in_disorder_alone_and_in_company() {
    let writer = writer();
    let texts = [
        "A small dog is looking out of a window.",
        "Window a of out dog looking small is a.",
        "There is a cat that is sleeping on the red sofa in the living room.",
    ];
    let together = writer.fluency(&texts).unwrap();
    assert!(together[0] > together[1] + 1.0, "{together:?}");
    for (text, of_all) in texts.iter().zip(&together) {
        let alone = writer.fluency(&[text]).unwrap()[0];
        assert!((alone - of_all).abs() < 1e-3, "{text}: {alone} {of_all}");
    }
}

#[test]
fn a_word_stands_where_its_token_does_and_one_of_several_tokens_nowhere() {
    let writer = writer();
    let words = ["sea", "peregrinating"].map(str::to_owned);
    let places = writer.places_of(&words).unwrap();
    let sea = writer.pieces().encode_plain(" sea").unwrap();
    // all may be written, and ends of lines, of which there are two at most, stand behind the others
    let (&[sea], Some(place)) = (&sea[..], places[0]) else {
        panic!("{sea:?} {places:?}")
    };
    assert!((sea - 2..=sea).contains(&(place as i64)), "{sea} {place}");
    assert_eq!(places[1], None);
}

/// What stands in no book: a passage as the bundle writes them.
const PASSAGE: &str = "It was a cold morning, and the light came slowly over the roofs. She stood at the window with the dog \
    beside her and looked down into the street, where a boy was pulling a cart of bread. Nobody else was awake. When the \
    church clock had struck seven she took her coat from the door, called the dog, and went out to see who had written.";

#[test]
fn packed_weights_foretell_a_passage_as_the_plain_ones_do() {
    let plain = writer().fluency(&[PASSAGE]).unwrap()[0];
    let mut packed = llama();
    packed.pack();
    let packed = writer_of(packed).fluency(&[PASSAGE]).unwrap()[0];
    assert!((packed / plain - 1.0).abs() < 0.01, "{packed} {plain}");
}
