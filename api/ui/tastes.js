// A line to taste for each style of the starter bundle: from one of the books that the style was made from, all in the
// public domain in the US. Other styles are tasted by their description; one made here gets a line of its own text.

export const tastes = {
  romance: ["It is a truth universally acknowledged, that a single man in possession of a good fortune, must be in want of a wife.", "Jane Austen"],
  adventure: ["There are some events of which each circumstance and surrounding detail seems to be graven on the memory.", "H. Rider Haggard"],
  gothic: ["Listen to them—the children of the night. What music they make!", "Bram Stoker"],
  sea: ["It is a way I have of driving off the spleen and regulating the circulation.", "Herman Melville"],
  "fairy-tale": ["The sun went down, and the full moon rose, large, round, and clear, shining in the deep blue.", "Hans Christian Andersen"],
  detective: ["Mrs. Ferrars died on the night of the 16th–17th September—a Thursday.", "Agatha Christie"],
  humour: ["Drooping like a wet sock, as was his habit when he had nothing to prop his spine against.", "P. G. Wodehouse"],
  "science-fiction": ["He was aware, though he gave no sign of it, that a guard was watching him.", "Andre Norton"],
  western: ["When you call me that, smile.", "Owen Wister"],
  war: ["In the late summer of that year we lived in a house in a village that looked across the river and the plain to the mountains.", "Ernest Hemingway"],
  nature: ["Buck did not read the newspapers, or he would have known that trouble was brewing.", "Jack London"],
  children: ["There were once four children who spent their summer holidays in a white house, happily situated between a sandpit and a chalkpit.", "E. Nesbit"],
  modern: ["The first thing he said when she came into the room was: “My father is dead.”", "Ford Madox Ford"],
};
