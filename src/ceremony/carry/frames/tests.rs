//! Frames against the published vectors, in any order, mixed, foreign, hostile.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

use super::super::fountain::tests::message;
use super::*;
use proptest::prelude::*;

/// The parts of the 256 bytes drawn from "Wolf", as the reference implementation prints them
/// (bc-ur, ur-rs: `test_ur_encoder`).
const PUBLISHED: [&str; 20] = [
    "ur:bytes/1-9/lpadascfadaxcywenbpljkhdcahkadaemejtswhhylkepmykhhtsytsnoyoyaxaedsuttydmmhhpktpmsrjtdkgslpgh",
    "ur:bytes/2-9/lpaoascfadaxcywenbpljkhdcagwdpfnsboxgwlbaawzuefywkdplrsrjynbvygabwjldapfcsgmghhkhstlrdcxaefz",
    "ur:bytes/3-9/lpaxascfadaxcywenbpljkhdcahelbknlkuejnbadmssfhfrdpsbiegecpasvssovlgeykssjykklronvsjksopdzmol",
    "ur:bytes/4-9/lpaaascfadaxcywenbpljkhdcasotkhemthydawydtaxneurlkosgwcekonertkbrlwmplssjtammdplolsbrdzcrtas",
    "ur:bytes/5-9/lpahascfadaxcywenbpljkhdcatbbdfmssrkzmcwnezelennjpfzbgmuktrhtejscktelgfpdlrkfyfwdajldejokbwf",
    "ur:bytes/6-9/lpamascfadaxcywenbpljkhdcackjlhkhybssklbwefectpfnbbectrljectpavyrolkzczcpkmwidmwoxkilghdsowp",
    "ur:bytes/7-9/lpatascfadaxcywenbpljkhdcavszmwnjkwtclrtvaynhpahrtoxmwvwatmedibkaegdosftvandiodagdhthtrlnnhy",
    "ur:bytes/8-9/lpayascfadaxcywenbpljkhdcadmsponkkbbhgsoltjntegepmttmoonftnbuoiyrehfrtsabzsttorodklubbuyaetk",
    "ur:bytes/9-9/lpasascfadaxcywenbpljkhdcajskecpmdckihdyhphfotjojtfmlnwmadspaxrkytbztpbauotbgtgtaeaevtgavtny",
    "ur:bytes/10-9/lpbkascfadaxcywenbpljkhdcahkadaemejtswhhylkepmykhhtsytsnoyoyaxaedsuttydmmhhpktpmsrjtwdkiplzs",
    "ur:bytes/11-9/lpbdascfadaxcywenbpljkhdcahelbknlkuejnbadmssfhfrdpsbiegecpasvssovlgeykssjykklronvsjkvetiiapk",
    "ur:bytes/12-9/lpbnascfadaxcywenbpljkhdcarllaluzmdmgstospeyiefmwejlwtpedamktksrvlcygmzemovovllarodtmtbnptrs",
    "ur:bytes/13-9/lpbtascfadaxcywenbpljkhdcamtkgtpknghchchyketwsvwgwfdhpgmgtylctotzopdrpayoschcmhplffziachrfgd",
    "ur:bytes/14-9/lpbaascfadaxcywenbpljkhdcapazewnvonnvdnsbyleynwtnsjkjndeoldydkbkdslgjkbbkortbelomueekgvstegt",
    "ur:bytes/15-9/lpbsascfadaxcywenbpljkhdcaynmhpddpzmversbdqdfyrehnqzlugmjzmnmtwmrouohtstgsbsahpawkditkckynwt",
    "ur:bytes/16-9/lpbeascfadaxcywenbpljkhdcawygekobamwtlihsnpalnsghenskkiynthdzotsimtojetprsttmukirlrsbtamjtpd",
    "ur:bytes/17-9/lpbyascfadaxcywenbpljkhdcamklgftaxykpewyrtqzhydntpnytyisincxmhtbceaykolduortotiaiaiafhiaoyce",
    "ur:bytes/18-9/lpbgascfadaxcywenbpljkhdcahkadaemejtswhhylkepmykhhtsytsnoyoyaxaedsuttydmmhhpktpmsrjtntwkbkwy",
    "ur:bytes/19-9/lpbwascfadaxcywenbpljkhdcadekicpaajootjzpsdrbalpeywllbdsnbinaerkurspbncxgslgftvtsrjtksplcpeo",
    "ur:bytes/20-9/lpbbascfadaxcywenbpljkhdcayapmrleeleaxpasfrtrdkncffwjyjzgyetdmlewtkpktgllepfrltataztksmhkbot",
];

/// Frames whose parts have `part` bytes.
fn cut(message: &[u8], part: usize) -> Frames {
    let mut frames = Frames::new(message, 4_000).unwrap();
    frames.part = part;
    frames.parts = frames.wrapped.len().div_ceil(part);
    frames
}

fn text(parts: &[u8], number: &str) -> String {
    format!("ur:bytes/{number}/{}", bytewords::encode(parts))
}

fn collect<'a>(texts: impl IntoIterator<Item = &'a String>) -> Result<Vec<u8>> {
    let mut collected = Collected::default();
    for text in texts {
        collected.take(text)?;
    }
    collected.message()
}

#[test]
fn the_published_vectors() {
    let single = Frames::new(&message("Wolf", 50), 4_000).unwrap();
    assert_eq!((single.parts(), single.text(1)), (1, "UR:BYTES/HDEYMEJTSWHHYLKEPMYKHHTSYTSNOYOYAXAEDSUTTYDMMHHPKTPMSRJTGWDPFNSBOXGWLBAAWZUEFYWKDPLRSRJYNBVYGABWJLDAPFCSDWKBRKCH".to_owned()));
    let frames = cut(&message("Wolf", 256), 29);
    assert_eq!(frames.parts(), 9);
    for (number, published) in (1..).zip(PUBLISHED) {
        assert_eq!(frames.text(number), published.to_uppercase(), "frame {number}");
    }
    // The first nine, backwards; mixed ones alone, in lower case.
    let first: Vec<String> = PUBLISHED[..9].iter().rev().map(ToString::to_string).collect();
    assert_eq!(collect(&first).unwrap(), message("Wolf", 256));
    let mixed: Vec<String> = (10..40).map(|number| frames.text(number).to_lowercase()).collect();
    assert_eq!(collect(&mixed).unwrap(), message("Wolf", 256));
}

#[test]
fn a_frame_of_another_message_or_form_is_refused_and_changes_nothing() {
    let frames = cut(&message("Wolf", 256), 29);
    let other = cut(&message("Fox", 256), 29);
    let finer = cut(&message("Wolf", 256), 20);
    let mut bad = frames.text(3);
    bad.replace_range(30..31, if &bad[30..31] == "A" { "E" } else { "A" });
    // A frame of this message by its head, with other content.
    let lying = text(
        &[&[0x85, 3, 9, 0x19, 1, 2, 0x1a, 1, 0x67, 0xaa, 7, 0x58, 29], [7; 29].as_slice()].concat(),
        "3-9",
    );
    let long = format!("UR:BYTES/{}", "AE".repeat(3_000));
    let table: [(&str, String, &str); 16] = [
        ("another message", other.text(3), "QR-MIXED"),
        ("other parts of this one", finer.text(3), "QR-MIXED"),
        ("another message, where this one's part is missing", other.text(5), "QR-MIXED"),
        ("other parts, where this one's is missing", finer.text(5), "QR-MIXED"),
        ("content that contradicts", lying, "QR-MIXED"),
        ("a letter changed", bad, "QR-CHECK"),
        ("another type", PUBLISHED[2].replace("bytes", "crypto-psbt"), "QR-KIND"),
        ("another number outside", PUBLISHED[2].replace("3-9", "4-9"), "QR-TEXT"),
        ("other parts outside", PUBLISHED[2].replace("3-9", "3-8"), "QR-TEXT"),
        ("a leading zero", PUBLISHED[2].replace("3-9", "03-9"), "QR-TEXT"),
        ("no number", PUBLISHED[2].replace("3-9", "-9"), "QR-TEXT"),
        ("a piece more", PUBLISHED[2].replace("3-9", "3-9/3-9"), "QR-TEXT"),
        ("no letters", "ur:bytes/3-9/".to_owned(), "QR-TEXT"),
        ("nothing", "ur:bytes".to_owned(), "QR-TEXT"),
        ("no frame", "https://example.com".to_owned(), "QR-TEXT"),
        ("too long", long, "QR-SIZE"),
    ];
    let mut collected = Collected::default();
    for number in [1, 2, 3] {
        assert_eq!(collected.take(&frames.text(number)).unwrap(), Taken::New);
    }
    for (what, text, rule) in table {
        let before = collected.clone();
        let refused = collected.take(&text).unwrap_err();
        if what == "a letter changed" && refused.rule().name == "QR-TEXT" {
            continue; // no pair of letters at all
        }
        assert_eq!(refused.rule().name, rule, "{what}: {refused}");
        assert_eq!(collected, before, "{what}");
    }
    assert_eq!(collected.take(&frames.text(2)).unwrap(), Taken::Known);
    assert_eq!(collected.message().unwrap_err().rule().name, "QR-MISSING");
    assert_eq!(Collected::default().message().unwrap_err().rule().name, "QR-MISSING");
}

/// A message of 32 GB in the head of one frame once ended other readers (threats T29).
#[test]
fn what_a_head_claims_is_compared_and_never_obeyed() {
    let head =
        |parts: &[u8], length: &[u8]| [&[0x85, 1], parts, length, &[0x1a, 1, 2, 3, 4, 0x41, 9]].concat();
    let table: [(&str, Vec<u8>, &str, &str); 8] = [
        ("4 billion bytes", head(&[2], &[0x1a, 255, 255, 255, 255]), "1-2", "QR-SIZE"),
        ("32 GB", head(&[2], &[0x1b, 0, 0, 0, 8, 0, 0, 0, 0]), "1-2", "QR-TEXT"),
        ("4 billion parts", head(&[0x1a, 255, 255, 255, 255], &[9]), "1-4294967295", "QR-SIZE"),
        ("201 parts", head(&[0x18, 201], &[0x18, 201]), "1-201", "QR-SIZE"),
        ("no parts", head(&[0], &[9]), "1-0", "QR-TEXT"),
        ("fewer parts than it takes", head(&[2], &[9]), "1-2", "QR-TEXT"),
        ("an array without end", [&[0x9f], &head(&[9], &[9])[1..]].concat(), "1-9", "QR-TEXT"),
        ("a part without end", vec![0x85, 1, 1, 1, 1, 0x5f, 0x41, 9, 0xff], "1-1", "QR-TEXT"),
    ];
    for (what, bytes, numbers, rule) in table {
        let refused = Collected::default().take(&text(&bytes, numbers)).unwrap_err();
        assert_eq!(refused.rule().name, rule, "{what}: {refused}");
    }
    assert_eq!(Frames::new(&[], 300).unwrap_err().rule().name, "QR-SIZE");
    assert_eq!(Frames::new(&vec![0; MOST_BYTES + 1], 4_000).unwrap_err().rule().name, "QR-SIZE");
    assert_eq!(Frames::new(&vec![0; MOST_BYTES], 300).unwrap_err().rule().name, "QR-SIZE");
    let most = Frames::new(&vec![7; MOST_BYTES], 900).unwrap();
    assert!(most.parts() <= MOST_FRAMES && most.text(most.parts().try_into().unwrap()).len() <= 900);
}

#[test]
fn a_sum_with_another_checksum_and_a_message_that_is_no_bytes_are_refused() {
    let mut frames = cut(&message("Wolf", 256), 29);
    frames.checksum ^= 1;
    let texts: Vec<String> = (1..=9).map(|number| frames.text(number)).collect();
    assert_eq!(collect(&texts).unwrap_err().rule().name, "QR-CHECK");
    let number = text(&[1], "x").replace("/x", "");
    assert_eq!(collect(&[number]).unwrap_err().rule().name, "QR-TEXT");
}

proptest! {
    /// Whatever frames get through, in whatever order: once enough of them say something new, it is
    /// the message, and no frame is longer than it may be. Those that got through may have missed a
    /// part, however many they were; then the sender's first frames, which are the parts, complete it.
    #[test]
    fn any_order_gives_the_message(
        bytes in proptest::collection::vec(any::<u8>(), 1..3_000),
        letters in 150_usize..1_000,
        seed in any::<u64>(),
    ) {
        let Ok(frames) = Frames::new(&bytes, letters) else { return Ok(()) };
        let parts = u32::try_from(frames.parts()).unwrap();
        let mut state = seed | 1;
        let drawn = (0..parts * 8 + 40).map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            u32::try_from(1 + (state >> 33) % u64::from(parts * 3)).unwrap()
        });
        let mut collected = Collected::default();
        for number in drawn.chain(1..=parts) {
            let text = frames.text(number);
            prop_assert!(text.len() <= letters || frames.parts() == 1, "{} {letters}", text.len());
            let before = collected.progress().0;
            let new = collected.take(&text).unwrap() == Taken::New;
            prop_assert_eq!(collected.progress().0, before + usize::from(new));
            if collected.progress().0 == frames.parts() {
                break;
            }
        }
        prop_assert_eq!(collected.message().unwrap(), bytes);
    }

    #[test]
    fn no_text_panics(text in "(ur:bytes/)?[0-9a-z/-]{0,200}") {
        let mut collected = Collected::default();
        let _ = collected.take(&text);
        let _ = collected.message();
    }
}
