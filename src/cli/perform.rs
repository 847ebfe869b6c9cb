//! The one loop that performs steps.
