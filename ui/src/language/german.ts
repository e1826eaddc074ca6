import type { PageWords } from "./words.ts";

/** German, with the formal "Sie". */
export const german: PageWords = {
  tag: "de",
  name: "Deutsch",
  cannotReach:
    "Der Server ist nicht erreichbar. Prüfen Sie Ihre Verbindung und versuchen Sie es noch einmal.",
  tryAgain: "Noch einmal versuchen",
  language: "Sprache",
  login: { title: "Anmelden", other: "Noch kein Konto?", link: "Konto erstellen" },
  registration: { title: "Konto erstellen", other: "Schon ein Konto?", link: "Anmelden" },
  verification: { title: "Adresse bestätigen", other: "Nicht jetzt?", link: "Ihre Geräte" },
  recovery: { title: "Passwort vergessen?", other: "Wieder eingefallen?", link: "Anmelden" },
  settings: { title: "Ihr Konto", other: "Wo sind Sie angemeldet?", link: "Ihre Geräte" },
  forApplication: "Danach geht es weiter zu {name}.",
  notNow: "Jetzt nicht",
  invitationOnly: "Ein Konto können Sie nur mit einer Einladung erstellen.",
  account: {
    another:
      "In diesem Browser hat sich inzwischen jemand anderes angemeldet. Das ist das Konto von {name}. Ihre Eingaben wurden nicht gespeichert.",
  },
  question: { confirm: "Ja, fortfahren", cancel: "Abbrechen" },
  deletion: {
    scheduled: "Ihr Konto wird am {time:date} gelöscht.",
    deleted: "Ihr Konto wurde gelöscht.",
    keep: "Wenn Sie es sich anders überlegen, melden Sie sich vorher an und behalten Sie es.",
    goOn: "Weiter",
  },
  logout: {
    title: "Abmelden",
    question: "Möchten Sie sich in diesem Browser abmelden?",
    confirm: "Abmelden",
  },
  sessions: {
    title: "Ihre Geräte",
    signedInAs: "Angemeldet als {name}.",
    otherAccount: "Das ist das Konto von {name}. Dieser Browser war auch bei einem anderen angemeldet.",
    current: "Dieses Gerät",
    device: "Gerät",
    browserOn: "{browser} unter {system}",
    unknownDevice: "Unbekanntes Gerät",
    lastUsed: "Zuletzt verwendet",
    expires: "Angemeldet bis",
    extend: "Länger angemeldet bleiben",
    extended: "Sie bleiben jetzt länger angemeldet.",
    logOut: "Abmelden",
    revoke: "Abmelden",
    revokeNamed: "Abmelden: {device}",
    revoked: "Das Gerät wurde abgemeldet.",
    others: "Andere Geräte",
    revokeOthers: "Alle anderen Geräte abmelden",
    othersRevoked: "Sie sind jetzt auf allen anderen Geräten abgemeldet.",
    none: "Sie sind auf keinem anderen Gerät angemeldet.",
    more: "Mehr anzeigen",
  },
  example: {
    identifier: "E-Mail",
    password: "Passwort",
    submit: "Anmelden",
    wrong: "E-Mail oder Passwort ist falsch.",
  },
  notFound: { title: "Seite nicht gefunden", text: "Unter dieser Adresse gibt es keine Seite." },
};
