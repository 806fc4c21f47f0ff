// Conversations: questions about facts, about scenes, small talk, and words that no one knows.
import type { Fact } from './fact.ts';
import type { KnownKind } from './kinds.ts';
import { Deck } from './deck.ts';
import type { Draw } from './random.ts';
import { makeLesson, makeScene, type Question, type Scene } from './scene.ts';
import { smallTalk, unknownWord } from './talk.ts';

export interface Message {
  readonly role: 'user' | 'assistant';
  readonly content: string;
}

export type Conversation = Message[];

export class Conversations {
  readonly #facts: Deck<Fact>;
  readonly #kinds: Deck<KnownKind>;

  constructor(
    facts: readonly Fact[],
    private readonly kinds: readonly KnownKind[],
    private readonly heldOut: ReadonlySet<string>,
    private readonly isWord: (word: string) => boolean,
    private readonly draw: Draw,
  ) {
    this.#facts = new Deck(facts, draw);
    this.#kinds = new Deck(kinds, draw);
  }

  /** One to four facts. */
  facts(): Conversation {
    return this.#turns(this.draw.between(1, 4), () => this.#fact());
  }

  /** A scene, then its questions. */
  scene(): Conversation {
    return sceneConversation(this.#scene(makeScene));
  }

  /** A scene and nearly everything that can be asked about it. */
  lesson(): Conversation {
    return sceneConversation(this.#scene(makeLesson));
  }

  /** Small talk, invented words and a fact or two. */
  talk(): Conversation {
    return this.#turns(this.draw.between(1, 3), () => {
      if (this.draw.chance(0.25)) return this.#fact();
      return this.draw.chance(0.5) ? smallTalk(this.draw) : unknownWord(this.draw, this.isWord);
    });
  }

  /** Everything, to about a thousand tokens: so that late positions are met. */
  long(): Conversation {
    const turns = this.draw.between(12, 36);
    const conversation: Conversation = [];
    while (conversation.length < turns) {
      conversation.push(...(this.draw.chance(0.4) ? this.scene() : this.facts()));
    }
    return conversation;
  }

  /** A scene that is not held out. */
  #scene(make: (draw: Draw) => Scene): Scene {
    let scene = make(this.draw);
    while (this.heldOut.has(scene.text)) scene = make(this.draw);
    return scene;
  }

  #fact(): Question {
    if (this.draw.chance(0.08)) return this.#isKind();
    const fact = this.#facts.next();
    return { question: this.draw.one(fact.questions), answer: fact.answer };
  }

  /** `Is a robin a fish?` */
  #isKind(): Question {
    const { phrase, kind } = this.#kinds.next();
    const asked = this.draw.chance(0.5) ? kind : this.draw.one(this.kinds).kind;
    const answer = asked === kind ? 'Yes' : 'No';
    return {
      question: `Is ${phrase} a kind of ${asked}?`,
      answer: `${answer}, ${phrase} is a kind of ${kind}.`,
    };
  }

  #turns(count: number, turn: () => Question): Conversation {
    return Array.from({ length: count }, turn).flatMap(asMessages);
  }
}

function sceneConversation({ text, questions }: Scene): Conversation {
  return questions.flatMap(({ question, answer }, index) =>
    asMessages({ question: index === 0 ? `${text} ${question}` : question, answer }),
  );
}

function asMessages({ question, answer }: Question): Conversation {
  return [
    { role: 'user', content: question },
    { role: 'assistant', content: answer },
  ];
}
