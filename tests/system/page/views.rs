//! Every view of the page at three sizes: nothing lies beyond the edge or over something else. `make screenshots` keeps pictures of
//! them, in both colour schemes, for people to look at. What must stay true: every view that a person can come to is in this list.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::browser::Browser;
use super::photo;
use super::teller::Teller;
use crate::harness::Service;

/// A telephone, a tablet or small laptop, and a wall.
const SIZES: [(u32, u32); 3] = [(360, 740), (1024, 768), (1920, 1080)];
/// Where pictures of the views are kept; nowhere unless it is set.
const KEPT_IN: &str = "STORYTELLER_SCREENSHOTS";

/// What lies beyond the edge of the screen, and what lies over something else that can be pressed.
const FAULTS: &str = "
    const all = [...(document.querySelector('dialog[open]') ?? document.body).querySelectorAll('*')];
    const seen = all.filter((one) => one.checkVisibility({ opacityProperty: true }) && !one.closest('.quiet, .unseen, .skip, svg, .name'));
    const named = (one) => `${one.tagName.toLowerCase()}#${one.id} “${one.textContent.trim().slice(0, 40)}”`;
    const own = (one) => [...one.childNodes].filter((node) => node.nodeType === 3 && node.data.trim());
    const found = document.documentElement.scrollWidth > innerWidth ? ['the page is wider than the screen'] : [];
    for (const one of seen) for (const node of own(one)) {
      const range = document.createRange();
      range.selectNodeContents(node);
      const { left, right } = range.getBoundingClientRect();
      if (left < 0 || right > innerWidth + 1) found.push(`beyond the edge: ${named(one)}`);
    }
    // what stays where it is while the rest is scrolled away below it
    const stays = (one) => one && !one.matches('dialog, body')
      && (['sticky', 'fixed'].includes(getComputedStyle(one).position) || stays(one.parentElement));
    const pressed = seen.filter((one) => one.matches('button, a, select, summary, input, .card, .tile') && !stays(one));
    const boxes = pressed.map((one) => [one, one.getBoundingClientRect()]);
    boxes.forEach(([one, a], place) => boxes.slice(place + 1).forEach(([other, b]) => {
      const [x, y] = [Math.min(a.right, b.right) - Math.max(a.left, b.left), Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top)];
      if (x > 3 && y > 3 && !one.contains(other) && !other.contains(one)) found.push(`one over the other: ${named(one)}, ${named(other)}`);
    }));
    return found;
";

/// Makes a style of a text.
const OWN_STYLE: &str = "
    document.getElementById('second').value = '';
    const things = new DataTransfer();
    things.items.add(new File(['It was a dark night. '.repeat(60)], 'A Dark Night.txt', { type: 'text/plain' }));
    document.getElementById('own-style').dispatchEvent(new DragEvent('drop', { dataTransfer: things, bubbles: true, cancelable: true }));
    document.querySelector('#own-form button').click();
";

/// A walk through the page.
struct Walk {
    service: Service,
    browser: Browser,
    gate: Arc<AtomicBool>,
    kept_in: Option<PathBuf>,
    found: Vec<String>,
}

impl Walk {
    async fn begin() -> Walk {
        let (teller, gate) = Teller::new();
        let kept_in = std::env::var_os(KEPT_IN).map(PathBuf::from);
        if let Some(folder) = &kept_in {
            fs::create_dir_all(folder).unwrap();
        }
        Walk {
            service: Service::telling(Box::new(|| Ok(Box::new(teller)))).await,
            browser: Browser::open().await,
            gate,
            kept_in,
            found: Vec::new(),
        }
    }

    async fn end(self) {
        assert!(self.found.is_empty(), "{:#?}", self.found);
        self.browser.close().await;
        self.service.stop().await;
    }

    /// Goes to an address of the page and waits until it knows its styles.
    async fn visits(&self, path: &str) {
        let address = format!("{}/{path}", self.service.address);
        self.browser.visit(&address).await;
        self.browser.wakes().await;
    }

    /// Looks at a view at all sizes.
    async fn looks_at(&mut self, view: &str) {
        let schemes: &[&str] = match self.kept_in {
            Some(_) => &["light", "dark"],
            None => &["light"],
        };
        for (width, height) in SIZES {
            for scheme in schemes {
                let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
                let sized = "Emulation.setDeviceMetricsOverride";
                self.browser.tells_chromium(sized, size).await;
                self.browser.prefers(scheme).await;
                let faults = self.browser.run(FAULTS).await;
                let faults = faults.as_array().unwrap().iter();
                self.found
                    .extend(faults.map(|fault| format!("{view} {width}: {fault}")));
                self.keeps(&format!("{view}-{width}-{scheme}")).await;
            }
        }
    }

    /// Keeps a picture of the whole page, or of the screen where a dialog or the wall fills that.
    async fn keeps(&self, name: &str) {
        let Some(folder) = &self.kept_in else { return };
        let wish = self
            .browser
            .run("const { scrollWidth: width, scrollHeight: height } = document.documentElement;
                  const whole = !document.querySelector('dialog[open]') && document.body.dataset.room !== 'slideshow';
                  return { format: 'png', captureBeyondViewport: whole, ...(whole ? { clip: { x: 0, y: 0, width, height, scale: 1 } } : {}) }")
            .await;
        let taken = self
            .browser
            .tells_chromium("Page.captureScreenshot", wish)
            .await;
        let picture = STANDARD.decode(taken["data"].as_str().unwrap()).unwrap();
        fs::write(folder.join(format!("{name}.png")), picture).unwrap();
    }

    /// A story of this photo, told as wished.
    async fn told(&self, name: &str, style: &str) -> String {
        let picture = fs::read(photo(name)).unwrap();
        let id = self.service.accepted(&picture, &[("style", style)]).await;
        self.service.finished(&id).await;
        id
    }

    async fn chooses(&self, names: &[&str]) {
        let photos: Vec<PathBuf> = names.iter().map(|name| photo(name)).collect();
        let photos: Vec<_> = photos.iter().map(PathBuf::as_path).collect();
        self.browser.chooses("#picture", &photos).await;
    }
}

const PHOTOS: [&str; 7] = [
    "dogs.jpg",
    "cat.jpg",
    "coffee.jpg",
    "dandelions.jpg",
    "mountains.jpg",
    "rocket.jpg",
    "stream.jpg",
];

#[tokio::test(flavor = "multi_thread")]
async fn asking_and_waiting_fit_every_screen() {
    let mut walk = Walk::begin().await;
    walk.visits("").await;
    walk.looks_at("first").await;
    walk.browser.press("#tell").await;
    walk.looks_at("trouble").await;
    walk.browser.press(".finer summary").await;
    walk.chooses(&["dogs.jpg"]).await;
    walk.looks_at("chosen").await;
    styles(&mut walk).await;
    walk.browser.press("#use-camera").await;
    walk.browser
        .finds("!document.getElementById('shoot').disabled")
        .await;
    walk.looks_at("camera").await;
    walk.browser.press("#close-camera").await;
    walk.browser
        .run("navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('', 'NotFoundError'))")
        .await;
    walk.browser.press("#use-camera").await;
    walk.browser.sees("#choose-instead").await;
    walk.looks_at("camera-none").await;

    waiting(&mut walk).await;
    walk.end().await;
}

/// Many pictures, and one that is told, stopped, or fails.
async fn waiting(walk: &mut Walk) {
    walk.visits("").await;
    walk.chooses(&PHOTOS).await;
    walk.looks_at("several").await;
    walk.browser.press("#tell").await;
    walk.browser
        .finds("document.querySelectorAll('.tile.told').length === 7")
        .await;
    walk.looks_at("sheet").await;

    for (script, there) in [
        ("gate", "#seen"),
        ("written", "#story .sentence"),
        ("error", "#retry"),
    ] {
        walk.visits("").await;
        walk.browser.wishes_for(script).await;
        walk.chooses(&["dogs.jpg"]).await;
        walk.browser.press("#tell").await;
        walk.browser.sees(there).await;
        walk.looks_at(&format!("working-{script}")).await;
        if script != "error" {
            walk.browser.press("#cancel").await;
            walk.browser.sees("#retry").await;
        }
    }
    walk.gate.store(true, Ordering::Relaxed);
}

/// The styles: tasted, mixed, and made.
async fn styles(walk: &mut Walk) {
    walk.browser.press("#open-styles").await;
    walk.looks_at("styles").await;
    walk.browser.run("const second = document.getElementById('second'); second.value = 'sea'; second.dispatchEvent(new Event('change'))").await;
    walk.browser
        .run("document.getElementById('own-style').open = true")
        .await;
    walk.browser
        .run("document.getElementById('style-room').scrollTo(0, 99999)")
        .await;
    walk.looks_at("mixing").await;
    walk.browser.run(OWN_STYLE).await;
    walk.browser
        .finds("document.getElementById('own-status').textContent.includes('passages were kept')")
        .await;
    walk.looks_at("own-style").await;
    walk.browser
        .run("const radio = document.querySelector('.card input'); radio.click()")
        .await;
    walk.browser.press("#close-styles").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_story_and_all_that_is_around_it_fit_every_screen() {
    let mut walk = Walk::begin().await;
    walk.visits("").await;
    walk.chooses(&["dogs.jpg"]).await;
    walk.browser
        .run("const style = document.getElementById('style'); style.value = 'romance'; style.dispatchEvent(new Event('change'))")
        .await;
    walk.browser.press("#tell").await;
    walk.browser.sees("#told-actions").await;
    walk.looks_at("story").await;
    walk.browser.press("#captions summary").await;
    walk.browser.sees("#why .map").await;
    walk.looks_at("why").await;
    walk.browser.press("#captions summary").await;
    for versions in 2..=4 {
        walk.browser.press("#another").await;
        walk.browser
            .finds(&format!(
                "document.querySelectorAll('#versions a').length === {versions}"
            ))
            .await;
    }
    beside(&mut walk).await;
    walk.end().await;
}

/// What is opened beside a story, and what hangs where it came from.
async fn beside(walk: &mut Walk) {
    walk.browser.press("#edit-title").await;
    walk.looks_at("versions").await;
    walk.browser.types("#title-field", "\n").await;
    walk.browser.press("#card").await;
    walk.browser.sees("#card-room").await;
    walk.looks_at("card").await;
    walk.browser.press("#close-card").await;
    walk.browser.press("#delete").await;
    walk.looks_at("delete").await;
    walk.browser.press("#not-sure").await;
    walk.browser
        .run("document.getElementById('login-room').showModal()")
        .await;
    walk.looks_at("login").await;
    walk.visits("").await;
    walk.browser
        .run("document.getElementById('lyrics').click()")
        .await;
    walk.chooses(&["stream.jpg"]).await;
    walk.browser.press("#tell").await;
    walk.browser.sees("#told-actions").await;
    walk.looks_at("lyrics").await;
    walk.browser.enter("#mine").await;
    walk.browser
        .finds("document.querySelectorAll('#mine-tiles img').length === 5")
        .await;
    walk.looks_at("mine").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_booth_and_the_wall_fit_every_screen() {
    let mut walk = Walk::begin().await;
    for room in ["gallery", "mine", "slideshow"] {
        walk.visits(&format!("#{room}")).await;
        walk.browser
            .finds(&format!(
                "document.getElementById('{room}').innerText.match(/hangs here|No stories/)"
            ))
            .await;
        walk.looks_at(&format!("{room}-empty")).await;
    }
    for (name, style) in PHOTOS
        .into_iter()
        .zip(["romance", "sea", "fairy-tale"].into_iter().cycle())
    {
        let id = walk.told(name, style).await;
        walk.service.shares(&id, true).await;
    }
    for (room, picture) in [
        ("gallery", "#gallery-tiles img"),
        ("slideshow", "#slide-picture"),
    ] {
        walk.visits(&format!("#{room}")).await;
        walk.browser.sees(picture).await;
        walk.looks_at(room).await;
    }
    walk.browser.enter("#gallery").await;
    walk.browser.sees("#gallery-tiles img").await;
    walk.browser.run_to_its_end(&super::sheet::drop(0)).await;
    walk.looks_at("gallery-trouble").await;
    booth(&mut walk).await;
    walk.end().await;
}

/// The booth from its first view to its thanks, and the page in other languages.
async fn booth(walk: &mut Walk) {
    walk.visits("?booth").await;
    walk.looks_at("booth").await;
    walk.browser.press("#start-booth").await;
    walk.browser
        .finds("!document.getElementById('shoot').disabled")
        .await;
    walk.looks_at("booth-camera").await;
    walk.browser.press("#shoot").await;
    walk.browser
        .finds("document.getElementById('count-down').textContent === '4'")
        .await;
    // one second lasts as long as it is looked at
    walk.browser
        .run("window.setTimeout = (act) => { window.goesOn = act; }")
        .await;
    walk.browser.finds("window.goesOn").await;
    walk.looks_at("booth-countdown").await;
    walk.visits("?booth").await;
    walk.chooses(&["dogs.jpg"]).await;
    walk.browser.sees("#booth-cards .card").await;
    walk.looks_at("booth-styles").await;
    walk.browser.press("#tell").await;
    walk.browser.sees("#consent").await;
    walk.looks_at("booth-story").await;
    walk.browser.press("#share").await;
    walk.browser
        .finds("document.getElementById('consent').textContent.includes('hangs in the gallery')")
        .await;
    walk.looks_at("booth-thanks").await;
    for language in ["de", "es"] {
        walk.visits(&format!("?lang={language}")).await;
        walk.looks_at(&format!("first-{language}")).await;
    }
}
