//! GRU, skip-thoughts, joint embedding, retrieval and style shift against the original: every golden
//! number of those parts, to 1e-5 of the largest.

use super::golden::{Golden, assert_close, sets};
use models::skip_thoughts::Encoding;
use models::tokenize;
use models::{Gru, SkipThoughts};
use serde_json::Value;
use tch::{Kind, Tensor};

fn strings(list: &Value) -> Vec<String> {
    list.as_array()
        .unwrap()
        .iter()
        .map(|s| s.as_str().unwrap().to_owned())
        .collect()
}

/// The texts of the encoding cases as the original tokenised them.
fn tokens(golden: &Golden) -> Vec<Vec<String>> {
    let texts = strings(&golden.json["encode_preprocessed"]);
    texts
        .iter()
        .map(|text| text.split_whitespace().map(str::to_owned).collect())
        .collect()
}

/// The rows of an encoding case that the original read as we do: it never found a word with an
/// accent when the text came as bytes.
fn comparable(golden: &Golden, vectors: &Tensor) -> Tensor {
    let kinds = strings(&golden.json["encode_sentences_in_type"]);
    let texts = strings(&golden.json["encode_sentences_in"]);
    let rows = (0i64..).zip(texts.iter().zip(&kinds));
    let rows = rows.filter(|(_, (text, kind))| text.is_ascii() || *kind == "unicode");
    let rows: Vec<i64> = rows.map(|(row, _)| row).collect();
    assert!(rows.len() + 1 >= texts.len());
    vectors.index_select(0, &Tensor::from_slice(&rows))
}

fn assert_same_vectors(golden: &Golden, found: &Tensor, name: &str) {
    let wanted = comparable(golden, &golden.array(name));
    assert_close(&comparable(golden, found), &wanted, 1e-5, name);
}

#[test]
fn the_gru_follows_the_original_through_masks_of_any_pattern() {
    for golden in sets() {
        let uni = Gru::new(&golden.weights("uni_skip.npz"), "encoder").unwrap();
        let bi = golden.weights("bi_skip.npz");
        let forward = Gru::new(&bi, "encoder").unwrap();
        let backward = Gru::new(&bi, "encoder_r").unwrap();
        let x = golden.array("f_w2v_emb");
        let last = x.size()[0] - 1;
        for pattern in ["", "_hole", "_half"] {
            let mask = golden.array(&format!("f_w2v_mask{pattern}"));
            let run =
                |gru: &Gru, x: &Tensor, mask: &Tensor| gru.run(x, None, Some(mask)).select(0, last);
            let name = format!("f_w2v_out{pattern}");
            assert_close(&run(&uni, &x, &mask), &golden.array(&name), 1e-5, &name);
            let ways = [
                run(&forward, &x, &mask),
                run(&backward, &x.flip(0), &mask.flip(0)),
            ];
            let name = format!("f_w2v2_out{pattern}");
            assert_close(&Tensor::cat(&ways, 1), &golden.array(&name), 1e-5, &name);
        }
    }
}

#[test]
fn thought_vectors_are_the_original_ones_with_and_without_end_mark_and_norm() {
    for golden in sets() {
        let skip_thoughts = golden.skip_thoughts();
        let texts = tokens(&golden);
        for (end_mark, normalise) in [(false, false), (false, true), (true, false), (true, true)] {
            let how = Encoding {
                end_mark,
                normalise,
            };
            let found = skip_thoughts.encode(&texts, how, &mut |_| {});
            let name = format!("enc_norm{}_eos{}", u8::from(normalise), u8::from(end_mark));
            assert_same_vectors(&golden, &found, &name);
        }
        let alone = encode_one_by_one(&skip_thoughts, &texts);
        assert_same_vectors(&golden, &alone, "enc_batch2");
    }
}

fn encode_one_by_one(skip_thoughts: &SkipThoughts, texts: &[Vec<String>]) -> Tensor {
    let one = |text: &Vec<String>| {
        skip_thoughts.encode(std::slice::from_ref(text), Encoding::default(), &mut |_| {})
    };
    Tensor::cat(&texts.iter().map(one).collect::<Vec<_>>(), 0)
}

#[test]
fn a_text_without_words_is_a_zero_vector_and_harms_no_other() {
    for golden in sets() {
        let skip_thoughts = golden.skip_thoughts();
        let mut texts = tokens(&golden);
        texts.insert(1, Vec::new());
        let found = skip_thoughts.encode(&texts, Encoding::default(), &mut |_| {});
        assert_eq!(found.get(1).abs().sum(Kind::Float).double_value(&[]), 0.0);
        let others = Tensor::cat(
            &[
                found.narrow(0, 0, 1),
                found.narrow(0, 2, texts.len() as i64 - 2),
            ],
            0,
        );
        assert_same_vectors(&golden, &others, "enc_norm1_eos0");
        let how = Encoding {
            end_mark: true,
            normalise: true,
        };
        let marked = skip_thoughts.encode(&[Vec::new()], how, &mut |_| {});
        assert_close(
            &marked,
            &golden.array("enc_empty_eos1"),
            1e-5,
            "enc_empty_eos1",
        );
    }
}

#[test]
fn sentences_and_pictures_meet_where_the_original_put_them() {
    for golden in sets() {
        let vse = golden.vse();
        let sentences = strings(&golden.json["vse_sentences_in"]);
        let sentences: Vec<&str> = sentences.iter().map(String::as_str).collect();
        let found = vse.embed_sentences(&sentences, &mut |_| {});
        assert_close(&found, &golden.array("vse_sent_out"), 1e-5, "vse_sent_out");
        let found = vse.project_images(&golden.array("vse_im_in"));
        assert_close(&found, &golden.array("vse_im_out"), 1e-5, "vse_im_out");
        let captions = golden.lines("coco_train_caps.txt");
        let captions: Vec<&str> = captions.iter().map(String::as_str).collect();
        let found = vse.embed_sentences(&captions, &mut |_| {});
        assert_close(&found, &golden.array("cvec"), 1e-5, "cvec");
    }
}

#[test]
fn captions_come_in_the_original_order_up_to_ties() {
    for golden in sets() {
        let vse = golden.vse();
        let gallery = golden.gallery(&vse);
        for picture in 0..golden.array("story_fc7").size()[0] {
            let embedding = vse.embed_images(&golden.array("story_fc7").narrow(0, picture, 1));
            let wanted = golden.array(&format!("story{picture}_embed"));
            assert_close(&embedding, &wanted, 1e-5, "the picture's embedding");
            let scores = golden.array(&format!("story{picture}_scores"));
            assert_close(&gallery.scores(&embedding), &scores, 1e-5, "scores");
            let order =
                Vec::<f32>::try_from(golden.array(&format!("story{picture}_order"))).unwrap();
            let found = gallery.nearest(&embedding, gallery.len());
            assert_eq!(found.len(), order.len());
            for (place, (ours, &theirs)) in found.iter().zip(&order).enumerate() {
                let theirs = theirs as usize;
                let gap = ours.similarity - scores.double_value(&[theirs as i64]) as f32;
                let same = gallery.caption(ours.index) == gallery.caption(theirs);
                assert!(
                    same || gap.abs() < 1e-6,
                    "{}: place {place}, gap {gap}",
                    golden.name()
                );
            }
        }
    }
}

/// Tokens of a caption. The original read captions as bytes and so never found a word with an
/// accent; we do, and take it away here to compare.
fn original_tokens(caption: &str) -> Vec<String> {
    let known = |token: String| {
        if token.is_ascii() {
            token
        } else {
            "UNK".to_owned()
        }
    };
    tokenize::preprocess(caption)
        .into_iter()
        .map(known)
        .collect()
}

#[test]
fn the_shifted_thought_of_every_story_is_the_original_one() {
    for golden in sets() {
        let (vse, skip_thoughts, styles) = (golden.vse(), golden.skip_thoughts(), golden.styles());
        let gallery = golden.gallery(&vse);
        let mix = styles.mix(&[("romance".to_owned(), 1.0)], 1.0).unwrap();
        for case in golden.json["stories"].as_array().unwrap() {
            let feature = golden
                .array("story_fc7")
                .get(case["feature"].as_i64().unwrap());
            let embedding = vse.embed_images(&feature.unsqueeze(0));
            let nearest = gallery.nearest(&embedding, case["k"].as_u64().unwrap() as usize);
            let captions = nearest.iter().map(|m| gallery.caption(m.index));
            let texts: Vec<_> = captions.map(original_tokens).collect();
            let vectors = skip_thoughts.encode(&texts, Encoding::default(), &mut |_| {});
            let found = styles.shift(&vectors.mean_dim(0i64, false, Kind::Float), &mix);
            let key = case["shift_key"].as_str().unwrap();
            assert_close(&found, &golden.array(key), 1e-5, key);
            let captions = key.replace("_shift", "_svecs");
            if golden.has(&captions) {
                let sum = |t: &Tensor| t.sum_dim_intlist(0i64, false, Kind::Float);
                assert_close(
                    &sum(&vectors),
                    &sum(&golden.array(&captions)),
                    1e-5,
                    &captions,
                );
            }
        }
    }
}
