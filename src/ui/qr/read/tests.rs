//! Codes drawn by us, damaged, and read again.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a test fails by panicking; shades and places in small pictures"
)]

use super::super::image::MOST_PIXELS;
use super::super::{Picture, Soil, letters, side_of};
use super::*;

fn file(image: &Grey) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, image.width as u32, image.height as u32);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.write_header().unwrap().write_image_data(&image.shades).unwrap();
    file
}

fn drawn(text: &str, soil: Soil, scale: usize) -> Grey {
    Grey::read(&Picture::of(text, soil).unwrap().png(scale).unwrap()).unwrap()
}

/// The same picture by another function of place.
fn mapped(image: &Grey, shade: impl Fn(f64, f64, &dyn Fn(f64, f64) -> f64) -> f64) -> Grey {
    let at = |x: f64, y: f64| {
        let inside = x >= 0.0 && y >= 0.0 && x < image.width as f64 && y < image.height as f64;
        let shade = || f64::from(image.shades[y as usize * image.width + x as usize]);
        if inside { shade() } else { 255.0 }
    };
    let all = (0..image.width * image.height)
        .map(|i| shade((i % image.width) as f64, (i / image.width) as f64, &at).clamp(0.0, 255.0) as u8);
    Grey { shades: all.collect(), ..*image }
}

/// Between -1 and 1, the same for the same place.
fn noise(x: f64, y: f64) -> f64 {
    let mixed = (x as u64 * 0x9e37_79b9 + y as u64 * 0x85eb_ca6b).wrapping_mul(0x2545_f491_4f6c_dd1d);
    f64::from((mixed >> 40) as u32) / f64::from(1 << 23) - 1.0
}

fn turned(image: &Grey, degrees: f64) -> Grey {
    let (sin, cos) = degrees.to_radians().sin_cos();
    let (half_x, half_y) = (image.width as f64 / 2.0, image.height as f64 / 2.0);
    mapped(image, |x, y, at| {
        let (x, y) = (x - half_x, y - half_y);
        at(x * cos + y * sin + half_x, y * cos - x * sin + half_y)
    })
}

fn padded(image: &Grey, by: usize) -> Grey {
    let (width, height) = (image.width + 2 * by, image.height + 2 * by);
    let mut all = Grey { width, height, shades: vec![255; width * height] };
    for y in 0..image.height {
        let at = (y + by) * width + by;
        all.shades[at..at + image.width].copy_from_slice(&image.shades[y * image.width..][..image.width]);
    }
    all
}

fn blurred(image: &Grey) -> Grey {
    mapped(image, |x, y, at| {
        (0..9).map(|i| at(x + f64::from(i % 3) - 1.0, y + f64::from(i / 3) - 1.0)).sum::<f64>() / 9.0
    })
}

type Damage = (&'static str, fn(&Grey) -> Grey);

const DAMAGE: [Damage; 12] = [
    ("none", Grey::clone),
    ("upside down", |i| turned(&padded(i, 4), 180.0)),
    ("turned by 7 degrees", |i| turned(&padded(i, 60), 7.0)),
    ("turned by 20 degrees", |i| turned(&padded(i, 120), 20.0)),
    ("noise", |i| mapped(i, |x, y, at| at(x, y) + 70.0 * noise(x, y))),
    ("low contrast", |i| mapped(i, |x, y, at| 120.0 + at(x, y) / 8.0)),
    ("light from one side", |i| {
        mapped(i, |x, y, at| at(x, y) * 0.6 * (1.0 - x / 2.5 / i.width as f64) + 20.0)
    }),
    ("a blot", |i| {
        let (x0, y0) = (i.width as f64 * 0.62, i.height as f64 * 0.45);
        let radius = i.width as f64 * 0.05;
        mapped(i, |x, y, at| if (x - x0).hypot(y - y0) < radius { 30.0 } else { at(x, y) })
    }),
    ("a white scratch", |i| {
        let middle = i.width as f64 * 0.55;
        mapped(i, |x, y, at| if (x - middle - y * 0.05).abs() < 2.0 { 255.0 } else { at(x, y) })
    }),
    ("blurred", blurred),
    ("black for white", Grey::inverted),
    ("a telephone's shot", |i| {
        let leaning = |x: f64, y: f64, at: &dyn Fn(f64, f64) -> f64| at(x + y * 0.06, y + x * 0.03);
        let image = blurred(&mapped(&turned(&padded(i, 60), 4.0), leaning));
        mapped(&image, |x, y, at| 40.0 + at(x, y) * 0.6 + 15.0 * noise(x, y))
    }),
];

/// What is drawn on paper and on screens: a code that keyrite makes is read through every damage of the
/// table, whatever its size up to that of the usual frame.
#[test]
fn damaged_codes_are_read() {
    let mut missed = Vec::new();
    for (version, soil) in [(4, Soil::Some), (6, Soil::Little), (10, Soil::Some), (13, Soil::Some)] {
        let text: String = ('A'..='Z').cycle().take(letters(side_of(version), soil)).collect();
        for (what, damage) in DAMAGE {
            // Finer ones are for screens and paper alone, where there is room for more pixels.
            if (version, what) == (13, "a telephone's shot") {
                continue;
            }
            let image = damage(&drawn(&text, soil, 6));
            match texts(file(&image)) {
                Ok(found) if found == [text.clone()] => {}
                other => missed.push((version, what, other.map_err(|refused| refused.rule().name))),
            }
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
}

/// What a straight scan of 75 to 150 dots an inch makes of a code as wide as the printed ones, up to the
/// largest that there are: 4 pixels a module, by uneven light.
#[test]
fn codes_of_every_size_are_read_straight() {
    for version in [16, 20, 25, 30, 35, 40] {
        let text: String = ('A'..='Z').cycle().take(letters(side_of(version), Soil::Some)).collect();
        let image = drawn(&text, Soil::Some, 4);
        let lit = mapped(&image, |x, y, at| at(x, y) * 0.7 * (1.0 - x / 3.0 / image.width as f64) + 20.0);
        for image in [image, lit] {
            let found = texts(file(&image)).map_err(|refused| refused.to_string());
            assert_eq!(found, Ok(vec![text.clone()]), "version {version}");
        }
    }
}

/// A picture from outside is refused by its rule, soon, before room is made for what it claims.
#[test]
fn hostile_images_are_refused_soon() {
    let good = Picture::of("KR1", Soil::Some).unwrap().png(4).unwrap();
    let sized = |width: u32, height: u32| {
        let mut file = good.clone();
        file[16..20].copy_from_slice(&width.to_be_bytes());
        file[20..24].copy_from_slice(&height.to_be_bytes());
        // The head's own CRC-32.
        let crc = !file[12..29].iter().fold(u32::MAX, |crc, byte| {
            (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 * (crc & 1)))
        });
        file[29..33].copy_from_slice(&crc.to_be_bytes());
        file
    };
    let jpeg = include_bytes!("../../../../tests/fixtures/qr/code.jpg");
    let mut huge = jpeg.to_vec();
    let head = huge.windows(2).position(|two| two == [0xff, 0xc0]).unwrap();
    huge[head + 5..head + 9].copy_from_slice(&[0xff; 4]);
    let blank = Grey { width: 300, height: 300, shades: vec![255; 90_000] };
    let table: [(&str, Vec<u8>, &str); 10] = [
        ("nothing", Vec::new(), "QR-IMAGE"),
        ("text", b"<svg/>".to_vec(), "QR-IMAGE"),
        ("a head alone", good[..33].to_vec(), "QR-IMAGE"),
        ("cut off", good[..good.len() - 40].to_vec(), "QR-IMAGE"),
        ("4 billion by 4 billion", sized(u32::MAX / 2, u32::MAX / 2), "QR-IMAGE"),
        ("a little more than there may be", sized(5_001, 5_000), "QR-IMAGE"),
        ("a line of 25 million", sized(MOST_PIXELS as u32, 1), "QR-IMAGE"),
        ("a JPEG of 65,535 by 65,535", huge, "QR-IMAGE"),
        ("a JPEG's head", jpeg[..200].to_vec(), "QR-IMAGE"),
        ("white", file(&blank), "QR-NONE"),
    ];
    let begun = std::time::Instant::now();
    for (what, bytes, rule) in table {
        let refused = texts(bytes).unwrap_err();
        assert_eq!(refused.rule().name, rule, "{what}: {refused}");
        // By its head, not when its rows turn out to be others.
        let by_size = ["4 billion", "a little more", "a line of"].iter().any(|begin| what.starts_with(begin));
        assert_eq!(refused.found().ends_with(" pixels"), by_size, "{what}: {refused}");
    }
    assert!(begun.elapsed() < DEADLINE, "{:?}", begun.elapsed());
    assert_eq!(texts(good).unwrap(), ["KR1"]);
    let read = ["KR1DXJ4BNP4PAHH6UQKBIDPF3LRCEOYAGYNDSYLXVHFUCD7WD4QACWW3CBSWVE."];
    assert_eq!(texts(jpeg.to_vec()).unwrap(), read);
    assert_eq!(
        texts(include_bytes!("../../../../tests/fixtures/qr/progressive.jpg").to_vec()).unwrap(),
        read
    );
}

#[test]
fn a_decoder_that_hangs_or_panics_costs_no_more_than_the_deadline() {
    let refused = within(Duration::from_millis(50), || {
        thread::sleep(Duration::from_secs(5));
        Ok(())
    });
    assert_eq!(refused.unwrap_err().rule().name, "QR-TIME");
    let refused: Result<()> = within(DEADLINE, || panic!("as an assertion of the decoder does"));
    assert_eq!(refused.unwrap_err().rule().name, "QR-IMAGE");
}

#[test]
fn several_codes_in_one_image_are_all_read() {
    let (one, two) = (drawn("KR1A", Soil::Some, 5), drawn("KR1B", Soil::Some, 5));
    let shades = one.shades.chunks(one.width).zip(two.shades.chunks(two.width));
    let shades = shades.flat_map(|(a, b)| [a, b].concat()).collect();
    let both = Grey { width: one.width * 2, height: one.height, shades };
    let mut found = texts(file(&both)).unwrap();
    found.sort();
    assert_eq!(found, ["KR1A", "KR1B"]);
}
