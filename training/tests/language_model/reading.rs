//! The published model reads texts whose halves belong together, and the same texts with their halves exchanged.

use models::networks::llama::Llama;
use models::text::pieces::Pieces;
use tch::{Device, Kind};
use training::measure::reading::{Reader, Reading};

use crate::tiny::base;

const TEXTS: [[&str; 2]; 4] = [
    [
        "The lighthouse stood on a rock far out in the bay. Its keeper lit the lamp at dusk.",
        "Ships that passed in the night saw the light and kept away from the rock.",
    ],
    [
        "My grandmother baked bread on Saturdays. She kneaded the dough before the sun was up.",
        "When the loaves came out of the oven, the whole house smelled of warm bread.",
    ],
    [
        "A wolf had been seen near the sheep. The shepherd slept with his dog beside him.",
        "At midnight the dog barked, and the shepherd ran to his flock with a stick.",
    ],
    [
        "The train was late again. Travellers stood on the platform and looked at the clock.",
        "At last the whistle blew, and they took up their bags and climbed into the carriages.",
    ],
];

fn read(reader: &Reader<'_>, texts: &[String]) -> Reading {
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let mut seen = Vec::new();
    let reading = reader.read(&texts, &mut |done, of| seen.push((done, of)));
    assert_eq!(seen.last(), Some(&(4, 4)));
    reading.unwrap()
}

#[test]
fn halves_that_belong_together_are_told_from_exchanged_ones() {
    let llama = Llama::open(&base(), (Kind::Float, Device::Cpu)).unwrap();
    let pieces = Pieces::of_model(&base()).unwrap();
    let reader = Reader::new(&llama, &pieces);
    let texts = |with: usize| -> Vec<String> {
        let text = |at: usize| format!("{} {}", TEXTS[at][0], TEXTS[(at + with) % 4][1]);
        (0..4).map(text).collect()
    };
    let (own, exchanged) = (read(&reader, &texts(0)), read(&reader, &texts(2)));
    assert!(own.belonging > 0.1, "{own:?}");
    assert!(exchanged.belonging < -0.1, "{exchanged:?}");
    assert!(own.nats < exchanged.nats);
    let none = reader.read(&["It ended."], &mut |_, _| {}).unwrap();
    assert_eq!((none.nats, none.belonging), (0.0, 0.0), "no halves");
}
