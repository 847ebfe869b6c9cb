//! The printed script of a ceremony: who takes part, every step with boxes for initials and time,
//! a sheet for exceptions, and room for what is known only at the end.
//!
//! Made from the very steps that the screen shows, so nobody reads on paper what is not done. The
//! same change gives the same file, byte for byte.

use super::markup::Markup;
use super::{Paper, add_blank_words, add_digest, add_item, add_table};
use crate::ceremony::change::{Ask, Change, Counts, Item};
use crate::ceremony::facts::{Facts, Stage};
use crate::ceremony::people::{Duty, Person};
use crate::ceremony::standing::{Gathered, ItemStanding, Standing};
use crate::ceremony::step::{Blank, PaperRow, Step};
use crate::tuf::text::visible;
use crate::ui::qr;
use crate::ui::screen::{Safe, Screen};
use crate::ui::table::Table;
use std::collections::{BTreeMap, BTreeSet};

/// More lines than this may not fit on one page together: then the step may go over its end.
const LONG: usize = 30;
/// Rows of the exceptions sheet.
const EXCEPTIONS: usize = 9;
/// People that fit on the title page; with more, what comes next follows them at once.
const TITLE_PAGE: usize = 6;

/// A runbook of the same folder that can't be planned before this part of it is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Later {
    /// Its title.
    pub title: String,
    /// Its kind's word.
    pub ceremony: String,
    /// Who takes part.
    pub people: BTreeMap<Person, Duty>,
}

/// The script as one HTML file. `clients`: what customers' clients will make of the change; `later`: what
/// comes after it, of which no script can be printed yet.
pub fn script(change: &Change, steps: &[Step], facts: &Facts, clients: &[String], later: &[Later]) -> String {
    let rehearsal = facts.trust.stage == Stage::Rehearsal;
    let digest = change.digest();
    let frame = &change.frame;
    let collection = visible(&facts.trust.collection);
    let mut paper = Paper::new("Ceremony script", frame.title.as_str(), collection.as_str(), rehearsal)
        .foot("change", digest);
    paper.section(
        &Screen::default()
            .fact("ceremony", frame.kind.as_str())
            .fact("trust", facts.trust.id.to_string())
            .fact("held at", frame.held_at.to_string())
            .fact("sign by", frame.sign_by.to_string())
            .fact("runbook", frame.runbook.to_string())
            .fact("steps", steps.len().to_string()),
    );
    let page = paper.body();
    page.element("div", "change", |block| {
        add_digest(block, &Safe::from("The change that everyone compares and agrees to"), digest);
        block.element("figure", "", |figure| {
            figure.add(&qr::svg(&digest));
            figure.leaf("figcaption", "", "The same digest for a camera. It does not replace the words.");
        });
    });
    page.element("div", "held", |held| {
        for blank in ["place", "begun, date and time", "ended"] {
            held.leaf("div", "blankline", blank);
        }
    });
    page.leaf("h2", "", "People");
    let table = people(change, steps);
    add_table(page, "people full", &table);
    let section = if table.rows.len() > TITLE_PAGE { "" } else { "page" };
    page.element("section", section, |page| {
        coming(page, later);
        if !clients.is_empty() {
            page.leaf("h2", "", "What customers' clients will make of it");
            page.element("ul", "plain", |ul| {
                for line in clients {
                    add_item(ul, line);
                }
            });
        }
        enough(page, change, facts);
        page.leaf("h2", "", "Steps");
        page.leaf(
            "p",
            "lead",
            "Each step is done as it is printed, in this order. Whoever acts says so; the witness, or \
             else the administrator, initials the step and writes the time. Whatever goes otherwise \
             is written on the exceptions sheet with the step's number; nothing is crossed out.",
        );
        page.element("div", "steps", |list| {
            for (step, number) in steps.iter().zip(1u32..) {
                add_step(list, number, &step.paper(change, facts));
            }
        });
    });
    page.element("section", "page", exceptions);
    page.element("section", "page", |page| closing(page, change, steps));
    paper.html()
}

/// Whom the parts need that come after this one, and why their steps are not printed here.
fn coming(page: &mut Markup, later: &[Later]) {
    if later.is_empty() {
        return;
    }
    page.leaf("h2", "", "What comes after this part");
    page.leaf(
        "p",
        "",
        "Steps and digest of these are known only when this part is held, since they rest on what it \
         makes. Their scripts are printed then, and before they are held.",
    );
    let mut table = Table::new(["part", "ceremony", "people"]);
    for one in later {
        let people: Vec<_> = one.people.keys().map(Person::as_str).collect();
        table.push([one.title.as_str(), one.ceremony.as_str(), people.join(", ").as_str()]);
    }
    add_table(page, "later", &table);
}

/// How many of the keys asked have to sign what, so that nobody waits for one that is not needed.
fn enough(page: &mut Markup, change: &Change, facts: &Facts) {
    let Ok(standing) = Standing::of(change, &Gathered::default(), facts) else { return };
    let mut table = Table::new(["what", "enough are", "of these keys"]);
    let mut spare = false;
    for (item, asked) in standing.items.iter().filter_map(|item| Some((item, change.items.get(item.item)?))) {
        for (most, row) in thresholds(item, asked.asked()) {
            spare |= most;
            table.push(row);
        }
    }
    if table.is_empty() {
        return;
    }
    page.leaf("h2", "", "Signatures that are needed");
    add_table(page, "needed", &table);
    if spare {
        page.leaf(
            "p",
            "",
            "Whoever is asked beyond these may sign too. A step that nobody does because enough have \
             signed gets a dash in both boxes, and the screen asks whether to seal without it.",
        );
    }
}

/// A row for each threshold of a payload, and whether more keys are asked for it than have to sign.
fn thresholds(item: &ItemStanding, asked: &[Ask]) -> Vec<(bool, [String; 3])> {
    let named = |of: &dyn Fn(&Ask) -> bool| {
        let keys: Vec<_> = asked.iter().filter(|ask| of(ask)).map(|ask| ask.key.as_str()).collect();
        (keys.len(), keys.join(", "))
    };
    let mut rows = Vec::new();
    for need in &item.needs {
        let (number, keys) = named(&|ask| ask.counts.contains(&need.counts));
        let whose = match need.counts {
            Counts::Old => ", as the root before demands",
            Counts::New | Counts::Historic(_) => "",
        };
        let more = usize::try_from(need.need).is_ok_and(|need| need < number);
        rows.push((more, [item.title.clone(), format!("any {}{whose}", need.need), keys]));
    }
    let (number, keys) = named(&|ask| ask.counts.is_empty());
    if number > 0 {
        rows.push((false, [item.title.clone(), "each, for itself".to_owned(), keys]));
    }
    let (number, keys) = named(&|ask| {
        !ask.counts.is_empty() && ask.counts.iter().all(|counts| matches!(counts, Counts::Historic(_)))
    });
    if number > 0 {
        rows.push((true, [item.title.clone(), "none: for clients of old roots".to_owned(), keys]));
    }
    rows
}

/// Everyone who takes part or whose turn comes, with a line to sign.
fn people(change: &Change, steps: &[Step]) -> Table {
    let mut keys: BTreeMap<&Person, BTreeSet<&str>> = BTreeMap::new();
    for ask in change.items.iter().flat_map(Item::asked) {
        keys.entry(&ask.holder).or_default().insert(ask.key.as_str());
    }
    for item in &change.items {
        if let Item::NewKey(new) = item {
            keys.entry(&new.holder).or_default().insert(new.name.as_str());
        }
    }
    let mut table = Table::new(["name", "part", "keys", "signature", "date and time"]);
    for (person, duty) in everyone(change, steps) {
        let keys: Vec<_> = keys.get(person).into_iter().flatten().copied().collect();
        let duty = duty.map_or("brings a token", Duty::name);
        table.push([person.as_str(), duty, keys.join(", ").as_str(), "", ""]);
    }
    table
}

fn everyone<'a>(change: &'a Change, steps: &'a [Step]) -> Vec<(&'a Person, Option<Duty>)> {
    let mut all: Vec<_> = change.frame.people.iter().map(|(person, duty)| (person, Some(*duty))).collect();
    all.sort_by_key(|(person, duty)| (*duty, *person));
    let others: BTreeSet<&Person> = steps.iter().filter_map(|step| step.actor.as_ref()).collect();
    let others = others.into_iter().filter(|person| !change.frame.people.contains_key(*person));
    all.extend(others.map(|person| (person, None)));
    all
}

fn add_step(list: &mut Markup, number: u32, row: &PaperRow) {
    let class = if row.lines.len() > LONG { "step long" } else { "step" };
    list.element("section", class, |step| {
        step.leaf("div", "no", number.to_string());
        step.element("div", "what", |what| {
            what.leaf("h3", "", row.title.as_str());
            if row.act.is_some() || !row.who.is_empty() {
                what.element("p", "who", |p| {
                    let colon = if row.act.is_some() { ":" } else { "" };
                    if !row.who.is_empty() {
                        p.leaf("b", "", format!("{}{colon}", row.who));
                    }
                    if let Some(act) = &row.act {
                        p.text(&Safe::from(act));
                    }
                });
            }
            lines(what, &row.lines);
            if let Some(digest) = row.digest {
                add_digest(what, &Safe::default(), digest);
            }
            match &row.blank {
                Some(Blank::Words(of)) => add_blank_words(what, format!("Write down the words of {of}:")),
                Some(Blank::Line(of)) => what.leaf("div", "blankline", of.as_str()),
                None => {}
            }
            what.leaf("p", "id mono", row.id.to_string());
        });
        step.leaf("div", "box", "initials");
        step.leaf("div", "box", "time");
    });
}

/// A few lines as sentences, more as a list.
fn lines(what: &mut Markup, lines: &[String]) {
    if lines.len() <= 2 {
        for line in lines {
            what.leaf("p", "line", line.as_str());
        }
        return;
    }
    what.element("ul", "", |ul| {
        for line in lines {
            add_item(ul, line);
        }
    });
}

fn exceptions(page: &mut Markup) {
    page.leaf("h2", "", "Exceptions");
    page.leaf(
        "p",
        "",
        "What went otherwise than the script says: a step done twice or in another order, a token that \
         was not taken, a person who came or left. None is written as \"none\".",
    );
    let mut table = Table::new(["step", "time", "what happened", "what was done about it", "initials"]);
    for _ in 0..EXCEPTIONS {
        table.push([""; 5]);
    }
    add_table(page, "exceptions", &table);
}

fn closing(page: &mut Markup, change: &Change, steps: &[Step]) {
    page.leaf("h2", "", "At the end");
    page.leaf(
        "p",
        "",
        "Copy the words of the transcript's head from the last screen. Whoever keeps this sheet can tell \
         later whether anything in the record was changed.",
    );
    add_blank_words(page, "The transcript's head:");
    page.leaf("h2", "", "Signatures");
    page.leaf(
        "p",
        "",
        "I was there from the first step to the last, or for the steps that my initials stand at. They \
         were done as printed, but for what the exceptions sheet says.",
    );
    let mut table = Table::new(["name", "signature", "date and time"]);
    for (person, _) in everyone(change, steps) {
        table.push([person.as_str(), "", ""]);
    }
    add_table(page, "people", &table);
}
