//! Which captions a passage is nearest to, and which passages are near to any.
//! `lessons` asks once for all. What must stay true: no style loses its passages to another.

use std::collections::BTreeMap;

use models::Result;
use models::tensors::unit_rows::unit_rows;
use tch::{Device, Kind, Tensor};

use super::{CAPTIONS, Lesson, Surroundings};

/// Passages that are held against the whole gallery at once.
const AT_ONCE: i64 = 512;

/// Those of each style that show most of what a caption says.
pub(super) fn nearest(lessons: Vec<Lesson>, nearness: &[f64], share: f64) -> Vec<Lesson> {
    let mut by_style: BTreeMap<Option<String>, Vec<(f64, Lesson)>> = BTreeMap::new();
    for (lesson, &near) in lessons.into_iter().zip(nearness) {
        let own = by_style.entry(lesson.style.clone().filter(|_| !lesson.verse));
        own.or_default().push((near, lesson));
    }
    let kept = by_style.into_values().flat_map(|mut own| {
        own.sort_by(|(a, _), (b, _)| b.total_cmp(a));
        own.truncate((own.len() as f64 * share).ceil() as usize);
        own.into_iter().map(|(_, lesson)| lesson)
    });
    kept.collect()
}

impl Surroundings<'_> {
    /// For each row of thoughts (N, T), as differences from the mean, the captions nearest to it, and the cosine between it and
    /// the nearest.
    pub(super) fn near(&self, apart: &Tensor, device: Device) -> Result<Vec<(Vec<i64>, f64)>> {
        let gallery = unit_rows(&(self.captions - self.caption)).to_device(device);
        let mut near = Vec::new();
        for first in (0..apart.size()[0]).step_by(AT_ONCE as usize) {
            let some = apart.narrow(0, first, AT_ONCE.min(apart.size()[0] - first));
            let some = unit_rows(&some).to_device(device);
            let (cosines, rows) = some.matmul(&gallery.tr()).topk(CAPTIONS, 1, true, true);
            let nearest = Vec::<f64>::try_from(cosines.select(1, 0).to_kind(Kind::Double))?;
            let rows = Vec::<Vec<i64>>::try_from(rows.to_device(Device::Cpu))?;
            near.extend(rows.into_iter().zip(nearest));
        }
        Ok(near)
    }
}
