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
  notFound: {
    title: "Seite nicht gefunden",
    text: "Unter dieser Adresse gibt es keine Seite.",
    start: "Zur Startseite",
  },
  around: {
    terms: "Nutzungsbedingungen",
    privacy: "Datenschutz",
    support: "Hilfe",
    development: "Entwicklung: Nachrichten bleiben auf diesem Rechner.",
    mailbox: "Postfach öffnen",
  },
  ways: {
    signIn: "Anmelden",
    startAgain: "Von vorn beginnen",
    goOn: "Weiter",
    reload: "Seite neu laden",
    cancel: "Abbrechen",
    toApp: "Weiter zur Anwendung",
  },
  meanwhile: {
    movedOn: "Sie haben das woanders fortgesetzt, vielleicht in einem anderen Tab. Hier geht es weiter.",
    done: "Das haben Sie schon in einem anderen Tab oder auf einem anderen Gerät erledigt. Um sich auch hier anzumelden, machen Sie unten weiter.",
    created:
      "Sie haben Ihr Konto schon in einem anderen Tab oder auf einem anderen Gerät erstellt. Melden Sie sich an.",
    gone: "Diese Seite war veraltet, deshalb haben wir sie neu geladen. Prüfen Sie Ihre Angaben und senden Sie sie noch einmal.",
    changed:
      "Ihr Konto wurde inzwischen an anderer Stelle geändert. Prüfen Sie Ihre Angaben und senden Sie sie noch einmal.",
    filledIn: "Sie wurden zwischendurch abgemeldet. Ihre Angaben sind noch da, außer Passwörtern.",
    interrupted:
      "Sie sind nicht mehr angemeldet. Melden Sie sich an, dann kommen Sie dorthin zurück, wo Sie waren.",
    cookiesBlocked:
      "Ihr Browser blockiert Cookies für diese Seite, und ohne sie können Sie sich nicht anmelden. Erlauben Sie Cookies und versuchen Sie es noch einmal.",
    tooSlow: "Der Server antwortet nicht rechtzeitig. Versuchen Sie es gleich noch einmal.",
  },
  signedIn: {
    title: "Sie sind angemeldet",
    text: "Sie sind als {name} angemeldet.",
    another: "Wenn Sie sich mit einem anderen Konto anmelden, ersetzt es in diesem Browser das jetzige.",
    goOn: "Weiter als {name}",
    useAnother: "Anderes Konto verwenden",
  },
  marked: {
    text: "Ihr Konto wird am {time:date} gelöscht.",
    keep: "Konto behalten",
    leave: "Wie geplant löschen",
  },
  said: {
    created: "Ihr Konto wurde erstellt.",
    verified: "Ihre Adresse ist bestätigt.",
    passwordSet: "Ihr neues Passwort ist festgelegt, und Sie sind angemeldet.",
    signedIn: "Sie sind angemeldet.",
    kept: "Ihr Konto bleibt bestehen.",
    doneBefore: "Das war schon erledigt. Nichts ist doppelt geschehen.",
  },
};
