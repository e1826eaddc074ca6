import type { MessageContext } from "@ostiary/sdk/form";
import { describeDay } from "./day.ts";
import type { Words } from "./words.ts";

/** Titles of the built-in identity schema; those of other schemas are shown as they are written there. */
const titles: Readonly<Record<string, string>> = { "E-mail": "E-Mail" };

const credentials: Readonly<Record<string, string>> = {
  password: "Passwort",
  totp: "Authenticator-App",
  backup_code: "Ersatzcodes",
  passkey: "Passkey",
  sms: "Codes per SMS",
  oidc: "Konto bei einem anderen Anbieter",
};

/** A credential by the name that its owner gave it, else by its kind. */
function credentialNamed(kind: unknown, label: unknown): string {
  return String(label || credentials[String(kind)] || "");
}

/** German. */
export const german: Words = {
  tag: "de",
  name: "Deutsch",
  form: {
    optional: "freiwillig",
    or: "oder",
    show: "Zeigen",
    showPassword: "Passwort zeigen",
    hide: "Verbergen",
    hidePassword: "Passwort verbergen",
    minLength: "Mindestens {min_length} Zeichen.",
    choose: "Auswählen…",
    add: "Hinzufügen",
    addTo: "Zu {list} hinzufügen",
    takeOut: "Was Sie leer lassen, wird herausgenommen.",
    copy: "Kopieren",
    copied: "Kopiert.",
    notCopied: "Das konnte nicht kopiert werden. Markieren Sie den Text und kopieren Sie ihn selbst.",
    save: "Als Datei speichern",
    print: "Drucken",
    busy: "Einen Moment…",
    anotherWay: "Anderer Weg",
    lastUsed: "Zuletzt benutzt",
    sendsItself: "Der Code wird gesendet, sobald alle {code_length} Ziffern da sind.",
    waits: "{label} in {time}",
    waited: "Sie können jetzt: {label}.",
    expired: "Das Formular war zu lange offen. Prüfen Sie Ihre Angaben und senden Sie es noch einmal.",
    failed: "Das hat nicht geklappt. Versuchen Sie es gleich noch einmal.",
    tryAgainIn: "Versuchen Sie es in {time} noch einmal.",
    passkeyCancelled:
      "Es wurde kein Passkey verwendet: Das wurde abgebrochen, dauerte zu lange, oder auf diesem Gerät gibt es keinen. " +
      "Versuchen Sie es noch einmal, oder wählen Sie einen anderen Weg.",
    passkeyThere: "Auf diesem Gerät gibt es schon einen Passkey für Ihr Konto.",
    passkeyUnfit: "Dieses Gerät kann keinen Passkey aufbewahren. Nehmen Sie ein anderes.",
    passkeyInsecure: "Unter der Adresse dieser Seite gehen Passkeys nicht.",
    passkeyUnsupported:
      "Dieser Browser kennt keine Passkeys, oder die Seite ist nicht sicher. Wählen Sie einen anderen Weg.",
  },
  messages: {
    1010004: "Zeigen Sie Ihren zweiten Faktor, um fortzufahren.",
    1010003: "Bestätigen Sie, dass Sie es sind, um fortzufahren.",
    1010014: ({ sent_to: sentTo }) =>
      sentTo
        ? `Falls es ein Konto zu ${sentTo} gibt, ist ein Code an seine Adresse unterwegs.`
        : noName("Code"),
    1010015: "Code zum Anmelden senden",
    1010022: "Anmelden",
    1040001: "Konto anlegen",
    1040005: "Ein Code ist an {sent_to} unterwegs.",
    1040006: "Code für das neue Konto senden",
    1040008: "Zurück",
    1050001: "Ihre Änderungen sind gespeichert.",
    1060001: "Sie haben wieder Zugang zu Ihrem Konto. Setzen Sie ein neues Passwort, um fortzufahren.",
    1060002: "Falls es ein Konto zu {sent_to} gibt, ist ein Link an seine Adresse unterwegs.",
    1060003: "Falls es ein Konto zu {sent_to} gibt, ist ein Code an seine Adresse unterwegs.",
    1060007: "Zurück",
    1070001: "Passwort",
    1070002: ({ title }) => (typeof title === "string" ? titled(title) : undefined),
    1070003: "Speichern",
    1070008: "Code noch einmal senden",
    1070009: "Weiter",
    1070010: "Code zum Wiederherstellen",
    1070011: "Bestätigungscode",
    1070012: "Code für das neue Konto",
    1070013: "Anmeldecode",
    1070018: "E-Mail oder Telefonnummer",
    1080001: "Ein Link zum Bestätigen ist an {sent_to} unterwegs.",
    1080003: "Ein Code zum Bestätigen ist an {sent_to} unterwegs.",
    4000001: "Dieser Wert ist nicht zulässig.",
    4000002: "Füllen Sie dieses Feld aus.",
    4000003: "Mindestens {min_length} Zeichen, nicht {actual_length}.",
    4000004: "Der Wert passt nicht zum verlangten Muster „{pattern}“.",
    4000006:
      "E-Mail, Benutzername oder Passwort stimmen nicht. Prüfen Sie die Angaben und versuchen Sie es noch einmal.",
    4000007: "Mit dieser Adresse oder diesem Namen gibt es schon ein Konto.",
    4000009: "Geben Sie etwas an, womit Sie sich anmelden können.",
    4000017: "Höchstens {max_length} Zeichen, nicht {actual_length}.",
    4000018: "Mindestens {minimum}.",
    4000020: "Höchstens {maximum}.",
    4000026: "Der Wert hat nicht die verlangte Art.",
    4000031: "Das Passwort ähnelt zu sehr Ihren übrigen Angaben.",
    4000032: "Das Passwort braucht mindestens {min_length} Zeichen.",
    4000033: "Das Passwort darf höchstens {max_length} Zeichen haben.",
    4000034: "Dieses Passwort ist aus Datenlecks bekannt. Wählen Sie ein anderes.",
    4000035: "Dieses Konto gibt es nicht, oder es hat keine Anmeldung mit Code.",
    4000036: "Die Angaben passen nicht zu denen des Codes. Gehen Sie zurück, um sie zu ändern.",
    4000037: "Dieses Konto gibt es nicht, oder es ist unter dieser Adresse nicht erreichbar.",
    4000040: "Geben Sie eine gültige E-Mail-Adresse an.",
    4000041: "Geben Sie eine gültige Telefonnummer mit Landesvorwahl an, zum Beispiel +41 44 668 18 00.",
    4010008: "Der Anmeldecode ist ungültig oder schon benutzt. Versuchen Sie es noch einmal.",
    4040003: "Der Code ist ungültig oder schon benutzt. Versuchen Sie es noch einmal.",
    4050002: "Ändern Sie nur eine Adresse auf einmal.",
    4060004: "Der Link zum Wiederherstellen ist ungültig oder schon benutzt.",
    4060006: "Der Code zum Wiederherstellen ist ungültig oder schon benutzt. Versuchen Sie es noch einmal.",
    4070001: "Der Link zum Bestätigen ist ungültig oder schon benutzt.",
    4070006: "Der Bestätigungscode ist ungültig oder schon benutzt. Versuchen Sie es noch einmal.",
    9000001: "Dieses Passwort verwenden viele; es ist leicht zu erraten.",
    9000002: "Die Angabe „{property}“ ist nicht vorgesehen.",
    9000010: "Code senden",
    9000011: "Link zum Anmelden senden",
    9000012: "Link senden",
    9000013: "Zurück",
    9000014: "Mit der Änderung fortfahren",
    9000015:
      "Ein Code ist an die neue Adresse {sent_to} unterwegs. Sie gilt, sobald Sie ihn eingegeben haben.",
    9000016: ({ sent_to: sentTo }) =>
      sentTo
        ? `Falls es ein Konto zu ${sentTo} gibt, ist ein Link an seine Adresse unterwegs.`
        : noName("Link"),
    9000017: "Fahren Sie fort, um sich mit {address} anzumelden.",
    9000018: "Fahren Sie fort, um das Konto von {address} wiederherzustellen.",
    9000019: "Fahren Sie fort, um zu bestätigen, dass {address} Ihnen gehört.",
    9000020: "Der Link ist ungültig oder schon benutzt.",
    9000021: "Der Code wurde zu oft falsch eingegeben. Lassen Sie sich einen neuen senden.",
    9000120:
      "Ein Code hat {length} Ziffern, oder {long_length}, wenn viele falsche eingegeben wurden. Kopieren Sie ihn aus der Nachricht, und sonst nichts.",
    9000022:
      "Eben wurde eine Nachricht gesendet. Warten Sie einen Moment, bevor Sie eine weitere senden lassen.",
    9000023: "Geben Sie eine gültige E-Mail-Adresse an oder eine Telefonnummer mit Landesvorwahl.",
    9000030: "Fahren Sie fort, um mit {address} ein Konto anzulegen.",
    9000031: "Link für das neue Konto senden",
    9000032: "Ein Link ist an {sent_to} unterwegs.",
    9000033:
      "Mit einem Link kann ein Konto nur eine Adresse haben. Wählen Sie einen anderen Weg oder geben Sie nur eine an.",
    9000040: "Anmeldung von {identifier}.",
    9000041: "Wählen Sie eine dieser Adressen.",
    9000042: "E-Mail, Telefonnummer oder Benutzername",
    9000043: "Wohin soll es gehen?",
    9000044: "Dies ist die Anmeldung von {identifier}. Gehen Sie zurück, um sich anders anzumelden.",
    9000460: "Kommen Sie später wieder",
    9000461:
      "Wem ein Konto gehört, wird jede Wiederherstellung mitgeteilt, und es bleibt Zeit, sie abzubrechen.",
    9000462: "Wiederherstellung abbrechen",
    9000463: "Wenn Sie selbst wieder in das Konto wollen, verlassen Sie diese Seite: Dann geschieht nichts.",
    9000464:
      "Die Adresse gehört Ihnen. Ab {date} kommen Sie wieder in das Konto: Lassen Sie sich dann einen neuen Code schicken.",
    9000465: "Wer die Nachrichten an {address} liest, kommt ab {date} in Ihr Konto.",
    9000466: "Abbrechen: Das war nicht ich",
    9000467:
      "Diese Wiederherstellung ist vorbei. Wenn Sie sich nicht mehr anmelden können, stellen Sie Ihr Konto wieder her.",
    9000050: ({ purge_time: time }) =>
      typeof time === "string"
        ? `Dieses Konto wird am ${describeDay(new Date(time), "de")} gelöscht.`
        : undefined,
    9000051: "Mein Konto löschen",
    9000052: "Mein Konto behalten",
    9000053: (span) =>
      "Wenn Sie Ihr Konto löschen, werden Sie überall abgemeldet. " +
      `${graceIn(span)} können Sie es sich noch anders überlegen: Melden Sie sich an und behalten Sie es. ` +
      "Danach ist es endgültig weg, mit allem, was dazugehört.",
    9000054:
      "Wenn Sie Ihr Konto löschen, ist es sofort weg, mit allem, was dazugehört. Das lässt sich nicht rückgängig machen.",
    9000060: "Diese Einladung gilt nicht mehr. Bitten Sie um eine neue.",
    9000070: "Das können Sie nicht selbst ändern.",
    9000200: ({ title }) => (typeof title === "string" ? titled(title) : undefined),
    9000201: "{title}",
    9000202: "{description}",
    9000203: "{example}",
    9000204: "Über Sie",
    9000205: "Passwort",
    9000206: "Konto löschen",
    9000207: (span) =>
      Number(span.hours) === 0
        ? "Konto löschen? Sie werden auf allen Geräten abgemeldet, und alles in Ihrem Konto geht verloren."
        : `Konto löschen? Sie werden auf allen Geräten abgemeldet. ${graceIn(span)} können Sie sich anmelden und es behalten.`,
    9000208: "Konto von {name}",
    9000209: "Weiter",
    9000210: "Anmelden",
    9000211: "Sagen Sie, wer Sie sind. Wie Sie es zeigen, kommt danach.",
    9000212: "Zeigen Sie, dass Sie es sind.",
    9000213: "Bestätigen Sie, dass Sie es sind",
    9000214: "Ihr Konto ist mit etwas Zweitem geschützt.",
    9000215: "Was Sie vorhaben, verlangt eine neue Anmeldung.",
    9000216: "Code eingeben",
    9000217: ({ sent_to: sentTo }) => `Sehen Sie in ${messagesTo(sentTo)} nach.`,
    9000218: "Link öffnen",
    9000219: ({ sent_to: sentTo }) =>
      `Sehen Sie in ${messagesTo(sentTo)} nach, auf diesem oder einem anderen Gerät.`,
    9000220: "Noch ein Klick: Auch Programme, die E-Mails durchsehen, öffnen Links.",
    9000221: "Konto anlegen",
    9000222: "Sagen Sie etwas über sich. Wie Sie sich anmelden, kommt danach.",
    9000223: "Füllen Sie das aus, und wählen Sie, wie Sie sich anmelden.",
    9000224: "Wählen Sie, wie Sie sich anmelden.",
    9000225: "Adresse bestätigen",
    9000226: "Eine Nachricht an sie zeigt, dass sie Ihnen gehört.",
    9000227: "Zugang wiederherstellen",
    9000228: "Sagen Sie, wer Sie sind. Eine Nachricht führt Sie zurück.",
    9000229: "Adresse auswählen",
    9000230: "Die Nachricht geht an die, die Sie auswählen.",
    9000231: "Ist das Ihr Konto?",
    9000232: "Noch hat niemand bestätigt, dass es ihm gehört.",
    9000233: "Ihr Konto",
    9000234: "Ändern Sie, was Sie möchten. Jeder Teil wird für sich gespeichert.",
    9000235: "Neues Passwort festlegen",
    9000236: "Es ersetzt das verlorene, und Sie sind damit angemeldet.",
    9000100: "Geben Sie ein gültiges Datum an, zum Beispiel 2026-02-28.",
    9000101: "Geben Sie eine Zahl zwischen {minimum} und {maximum} an.",
    9000102: "Geben Sie ein Datum mit Uhrzeit und Zeitzone an, zum Beispiel 2026-02-28T18:30:00Z.",
    9000103: "Geben Sie eine Uhrzeit mit Zeitzone an, zum Beispiel 18:30:00Z.",
    9000104: "Geben Sie eine vollständige Adresse an, zum Beispiel https://example.com/seite.",
    9000105: "Der Wert hat nicht die verlangte Form „{format}“.",
    9000106:
      "Ein Benutzername darf nicht wie eine E-Mail-Adresse aussehen, außer es ist Ihre eigene und bestätigt.",
    9000107:
      "Ein Benutzername darf nicht wie eine Telefonnummer aussehen, außer es ist Ihre eigene und bestätigt.",
    9000108: "Steuerzeichen und unsichtbare Zeichen sind hier nicht erlaubt.",
    9000090:
      "{address} gehört Ihnen. Mit dieser Adresse gibt es ein Konto, das noch niemand bestätigt hat. Haben Sie es " +
      "eingerichtet? Wenn das jemand anderes war oder Sie sich nicht mehr anmelden können, wählen Sie das: Alles, womit man " +
      "sich dort jetzt anmeldet, gilt dann nicht mehr, und Sie legen ein eigenes Passwort fest.",
    9000091: "Ich habe es eingerichtet: anmelden",
    9000092: "Das war nicht ich, oder ich kann mich nicht anmelden",
    9000093:
      "Dieses Konto hat sich inzwischen geändert, darum ist nichts geschehen. Gehen Sie zurück und geben Sie Ihre Adresse " +
      "noch einmal an.",
    1010006: "Code Ihrer Authenticator-App",
    1010007: "Ersatzcode",
    1050005: "Der Schlüssel für Ihre Authenticator-App als QR-Code",
    1050006: "{key}",
    1050008: "Neue Ersatzcodes erstellen",
    1050011: "Ich habe sie aufbewahrt",
    1050015: ({ codes }) => (Array.isArray(codes) ? codes.join("\n") : undefined),
    4000008: "Diesen Code zeigt Ihre App jetzt nicht. Jeder Code gilt einmal: Warten Sie auf den nächsten.",
    4000016: "Das ist keiner Ihrer Ersatzcodes, oder er wurde schon verwendet.",
    9000301: "Authenticator-App einrichten",
    9000302: "Andere Authenticator-App einrichten",
    9000303: "Bestätigen",
    9000304: "Der Code hat {digits} Ziffern.",
    9000305: "Authenticator-App",
    9000306: "Ersatzcodes",
    9000307: "Ersatzcodes erstellen",
    9000308: "{remaining} von {total} Ersatzcodes sind übrig.",
    9000309:
      "Bewahren Sie diese Codes dort auf, wo Sie sie ohne Ihr Telefon finden. Jeder meldet Sie einmal anstelle Ihres " +
      "zweiten Faktors an, und sie werden nicht wieder angezeigt.",
    9000310: "Ein Ersatzcode hat {length} Buchstaben und Ziffern.",
    9000311:
      "Erstellen Sie Ersatzcodes, damit Sie sich anmelden können, wenn Sie Ihren zweiten Faktor nicht zur Hand haben.",
    9000312: "Überall sonst abmelden",
    9000313: ({ kind, label }) => credentialNamed(kind, label),
    9000314: "Name",
    9000315: ({ kind, label }) => `Ändern oder entfernen: ${credentialNamed(kind, label)}`,
    9000316: ({ time }) => `Hinzugefügt am ${describeDay(new Date(String(time)), "de")}.`,
    9000324: ({ time }) => `Zuletzt verwendet am ${describeDay(new Date(String(time)), "de")}.`,
    9000317: "Entfernen",
    9000318: "Entfernen? Sie können sich danach nicht mehr damit anmelden.",
    9000319: "Nur so können Sie sich bei Ihrem Konto anmelden. Richten Sie zuerst etwas anderes ein.",
    9000640:
      "Ihr Konto braucht einen zweiten Faktor, und dies ist der einzige. Richten Sie zuerst einen anderen ein.",
    9000320: "Das wurde inzwischen entfernt.",
    9000321: "Das gehört schon zu einem anderen Konto.",
    9000322: "Schlüssel",
    9000323:
      "Scannen Sie das Bild mit Ihrer Authenticator-App, oder geben Sie dort den Schlüssel ein. Geben Sie dann den Code " +
      "ein, den sie zeigt.",
    9000325: "Auch nach meinem Passwort danach fragen",
    9000326: "Nach meinem Passwort nicht danach fragen",
    9000340: "Passkeys",
    9000341: "Passkey hinzufügen",
    9000342: "Passkey erstellen",
    9000343: "Mit Passkey anmelden",
    9000344: "Passkey verwenden",
    9000345: "Konto mit Passkey anlegen",
    9000346:
      "Dieser Passkey meldet Sie nicht an. Versuchen Sie es noch einmal, oder wählen Sie einen anderen Weg.",
    9000347: "Der Passkey konnte nicht hinzugefügt werden. Versuchen Sie es noch einmal.",
    9000348: "Diesen Passkey hat Ihr Konto schon.",
    9000349: "Name, um ihn von anderen zu unterscheiden",
    9000350: "Es wurde kein Passkey ausgewählt. Versuchen Sie es noch einmal.",
    9000351:
      "Dieser Passkey hat nicht geprüft, dass Sie es sind. Melden Sie sich zuerst mit Ihrem Passwort oder einem Code an, " +
      "und verwenden Sie ihn dann.",
    9000352: "Ihr Konto hat schon {most} Passkeys. Entfernen Sie zuerst einen.",
    9000430: "Nächstes Mal schneller anmelden",
    9000431:
      "Mit einem Passkey melden Sie sich mit Fingerabdruck, Gesicht oder der PIN Ihres Geräts an. Ihr Passwort gilt weiter.",
    9000432: "Passkey erstellen",
    1010002: "Weiter mit {provider}",
    1050002: "{provider} verbinden",
    9000700: "Konten bei anderen Anbietern",
    9000701:
      "Es gibt schon ein Konto mit Ihrer Adresse. Melden Sie sich einmal dort an: Dann wird {provider} damit verbunden.",
    9000702:
      "{provider} ist gerade nicht erreichbar. Versuchen Sie es später noch einmal, oder wählen Sie einen anderen Weg.",
    9000703:
      "{provider} hat Sie nicht angemeldet. Versuchen Sie es noch einmal, oder wählen Sie einen anderen Weg.",
    9000704: "Diese Antwort von {provider} gilt nicht mehr. Beginnen Sie von vorn.",
    9000705:
      "Kein Konto hier ist mit diesem Konto bei {provider} verbunden. Melden Sie sich auf einem anderen Weg an, und verbinden Sie es in Ihren Einstellungen.",
    9000706: "Dieses Konto bei {provider} ist nicht mit dem Konto verbunden, um das es hier geht.",
    9000707: "Fast geschafft",
    9000708: "Das sagt {provider} über Sie. Ergänzen Sie, was fehlt.",
    9000709: "Konto erstellen",
    9000711: "{provider} war eben nicht erreichbar.",
    9000710: "Damit können Sie sich nicht mehr anmelden: Es wird hier nicht mehr angeboten.",
    9000712: "Zuletzt verwendet",
    9000600: "Zuerst noch etwas",
    9000601: "Legen Sie ein neues Passwort fest, bevor es weitergeht.",
    9000602: "Zeigen Sie, dass diese Adresse Ihnen gehört, bevor es weitergeht.",
    9000603: "Einige Angaben zu Ihrem Konto fehlen. Ergänzen Sie sie, um fortzufahren.",
    9000604: "Richten Sie einen zweiten Faktor ein, bevor es weitergeht. Er schützt Ihr Konto.",
    9000605: "Lesen Sie dies, und stimmen Sie zu, um fortzufahren.",
    9000606: "Code an {address} senden",
    9000607: "{title} ({version})",
    9000608: "Zustimmen: {title}",
    9000609: "Dokumente",
    9000610: "Das war alles.",
    9000611: "Bitte legen Sie ein neues Passwort fest.",
    9000612: "Bitte bestätigen Sie Ihre Adresse.",
    9000613: "Bitte ergänzen Sie die Angaben zu Ihrem Konto.",
    9000614: "Bitte richten Sie einen zweiten Faktor ein.",
    9000616: "Dieses Passwort haben Sie schon. Wählen Sie ein anderes.",
    9000615: "Bitte lesen Sie das Dokument unten, und stimmen Sie ihm zu.",
    9000400: ({ typed }) =>
      typeof typed === "object"
        ? "Das wurde inzwischen an anderer Stelle geändert."
        : `Das wurde inzwischen an anderer Stelle geändert. Sie hatten eingegeben: ${String(typed)}`,
    9000401: "Dafür braucht es eine Anmeldung, die hier nicht eingerichtet ist.",
    9000402: "Codes per SMS",
    9000403: "Telefonnummer mit Ländervorwahl",
    9000404: "Codes per SMS einrichten",
    9000405: "Andere Nummer verwenden",
    9000406: "Geben Sie eine Telefonnummer mit Ländervorwahl ein, zum Beispiel +49 171 2345678.",
    9000407: "Ein Code kann per SMS an {number} gehen.",
    9000408: "Code senden",
    9000409: "Ein Code ist per SMS an {number} unterwegs.",
    9000410:
      "Das ist nicht der Code, der zuletzt gesendet wurde, oder er ist abgelaufen. Prüfen Sie ihn, oder lassen Sie einen " +
      "anderen senden.",
    9000411:
      "In dieses Land werden keine SMS gesendet. Nehmen Sie eine andere Nummer oder einen anderen Weg.",
    9000412:
      "In dieses Land können zurzeit keine SMS mehr gesendet werden. Wählen Sie einen anderen Weg, oder versuchen Sie es " +
      "später noch einmal.",
    9000413:
      "Ihr Konto fragt als zweiten Faktor nach einem Code per SMS, darum beginnt es mit etwas anderem, zum Beispiel Ihrem " +
      "Passwort.",
    9000414:
      "Ihr zweiter Faktor ist ein Code per SMS, darum bekommen Sie Ihr Konto nicht durch eine SMS allein zurück. Nehmen Sie " +
      "Ihre E-Mail-Adresse.",
    9000415: "Neue Anmeldeart einrichten",
    9000416: "Hier gibt es kein Passwort festzulegen. Melden Sie sich mit einem Code oder Link an.",
    9000417: "Anmelden",
    9000500:
      "Bei uns ist etwas schiefgegangen. Versuchen Sie es noch einmal. Wenn es dabei bleibt, nennen Sie uns diese Nummer: {request_id}.",
    9000501:
      "Etwas von dem, was Sie ausgefüllt haben, lässt sich nicht senden, zum Beispiel weil es zu lang ist. Prüfen Sie es, und versuchen Sie es noch einmal.",
    9000502: "Das ist zu viel auf einmal. Füllen Sie weniger aus, und versuchen Sie es noch einmal.",
    9000503: "Das hat zu lange gedauert. Versuchen Sie es gleich noch einmal.",
    9000504: "Diese Liste hat sich geändert. Laden Sie die Seite neu.",
    9000505: "Das geht zurzeit nicht.",
    9000506: "Im Moment ist zu viel los.",
    9000507:
      "Diese Seite wurde unter einer fremden Adresse geöffnet. Öffnen Sie sie über den Link, den Sie bekommen haben.",
    9000508: "Hier gibt es nichts, womit es weitergeht. Beginnen Sie von vorn.",
    9000509: "Das ist schon geschehen. Fahren Sie fort, oder beginnen Sie von vorn.",
    9000510:
      "Das wurde in einem anderen Browser oder einer App begonnen. Fahren Sie dort fort, oder beginnen Sie hier von vorn.",
    9000511: "Diese Seite ist nicht mehr aktuell. Laden Sie sie neu.",
    9000512: "Der Link, der hierher geführt hat, nennt eine Adresse, die nicht erlaubt ist.",
    9000513: "Zurzeit können hier keine Konten angelegt werden.",
    9000514: "Sie sind nicht angemeldet. Melden Sie sich an, um fortzufahren.",
    9000515:
      "Sie wurden abgemeldet, weil Sie lange angemeldet oder eine Weile nicht hier waren. Melden Sie sich neu an.",
    9000516: "Sie wurden abgemeldet. Melden Sie sich neu an.",
    9000517: "Dafür braucht es einen zweiten Faktor. Melden Sie sich damit an, um fortzufahren.",
    9000518: "Melden Sie sich noch einmal an, um zu bestätigen, dass Sie es sind.",
    9000519: "Diese Sitzung ist schon beendet.",
    9000520: "Passwörter lassen sich zurzeit nicht prüfen, darum kann keines gesetzt werden.",
    9000521: "Dieser Link gilt nicht mehr. Versuchen Sie es ohne ihn noch einmal.",
    9000522:
      "Das wurde im selben Moment in einem anderen Fenster geändert. Sehen Sie nach, wie es jetzt ist, und versuchen Sie es noch einmal.",
    9000523: "Zurzeit können hier keine Adressen bestätigt werden.",
    9000524: "Zurzeit können hier keine Konten wiederhergestellt werden.",
    9000525: "Das geht jetzt nicht. Wählen Sie einen der Wege, die die Seite zeigt.",
    9000526: "Das waren zu viele Versuche.",
    9000527:
      "Nur wer eingeladen ist, kann hier ein Konto anlegen. Öffnen Sie den Link in Ihrer Einladung, oder bitten Sie um eine.",
    9000528:
      "Diese Einladung gilt nicht mehr: Sie wurde benutzt oder zurückgezogen oder ist zu alt. Bitten Sie um eine neue.",
    9000529:
      "Ihr Browser sendet zu viele Cookies. Löschen Sie die Cookies dieser Website, und versuchen Sie es noch einmal.",
    9000530: "Hier hat sich inzwischen jemand anders angemeldet. Beginnen Sie von vorn.",
    9000531:
      "Dieser Browser hatte mehrere Sitzungen zugleich. Deshalb wurde er abgemeldet, und sie wurden entfernt. Melden Sie sich neu an.",
    9000532:
      "Das braucht eine stärkere Anmeldung, zum Beispiel einen Passkey. Melden Sie sich damit an, um weiterzumachen.",
    9000533:
      "Das braucht eine Adresse von Ihnen, die bestätigt ist. Bestätigen Sie eine, und versuchen Sie es noch einmal.",
    9000534: "Vorher ist noch etwas zu tun. Melden Sie sich neu an, um es zu sehen.",
    9000540:
      "Diese Anfrage wurde schon beantwortet oder ist zu alt. Gehen Sie zurück zur Anwendung, von der Sie kommen, und beginnen Sie dort neu.",
    9000541: "Der Server, der Sie hierher geschickt hat, ist im Moment nicht erreichbar.",
    9000620: "Sie sind angemeldet",
    9000621: ({ application }) =>
      `${application || "Die Anwendung, von der Sie kommen,"} weiß es noch nicht. Es ist nichts verloren: Versuchen Sie es gleich noch einmal.`,
    9000622: "Noch einmal versuchen",
    9000623: "Es geht noch immer nicht. Ihre Anmeldung bleibt; versuchen Sie es gleich noch einmal.",
    9000750: "Link noch einmal senden",
    9000751: "Andere Adresse verwenden",
    9000752: "Adressen",
    9000753: "{address}",
    9000754: "Bestätigt · Hauptadresse",
    9000755: "Bestätigt",
    9000756: "Nicht bestätigt",
    9000757: "Noch nicht geändert: Bestätigen Sie die Adresse mit einem Code",
    9000758: "{address} bestätigen",
    9000759: "Neues Passwort",
  },
  cannotReach:
    "Der Server ist nicht erreichbar. Prüfen Sie Ihre Verbindung und versuchen Sie es noch einmal.",
  tryAgain: "Noch einmal versuchen",
  language: "Sprache",
  login: { title: "Anmelden", other: "Noch kein Konto?", link: "Konto anlegen" },
  registration: { title: "Konto anlegen", other: "Schon ein Konto?", link: "Anmelden" },
  verification: { title: "Adresse bestätigen", other: "Nicht jetzt?", link: "Ihre Sitzungen" },
  recovery: { title: "Zugang wiederherstellen", other: "Wieder eingefallen?", link: "Anmelden" },
  settings: { title: "Ihr Konto", other: "Wo sind Sie angemeldet?", link: "Ihre Sitzungen" },
  forApplication: "Danach geht es weiter zu {name}.",
  notNow: "Jetzt nicht",
  invitationOnly: "Konten gibt es nur auf Einladung.",
  account: {
    another:
      "In diesem Browser hat sich inzwischen jemand anders angemeldet. Dies ist das Konto von {name}. Was Sie ausgefüllt hatten, wurde nicht gespeichert.",
  },
  question: { confirm: "Ja, fortfahren", cancel: "Nein, abbrechen" },
  deletion: {
    scheduled: "Ihr Konto wird am {date} gelöscht.",
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
    title: "Geräte",
    signedInAs: "Angemeldet als {name}.",
    otherAccount: "Dies ist das Konto von {name}. Dieser Browser war auch bei einem anderen angemeldet.",
    current: "Dieses Gerät",
    device: "Gerät",
    browserOn: "{browser} unter {system}",
    unknownDevice: "Unbekanntes Gerät",
    signedIn: "Angemeldet seit",
    lastUsed: "Zuletzt benutzt",
    expires: "Endet",
    extend: "Länger angemeldet bleiben",
    extended: "Diese Sitzung wurde verlängert.",
    logOut: "Abmelden",
    revoke: "Beenden",
    revokeNamed: "Beenden: Sitzung von {device}",
    revoked: "Die Sitzung wurde beendet.",
    others: "Andere Geräte",
    revokeOthers: "Alle anderen beenden",
    othersRevoked: "Beendete andere Sitzungen: {count}.",
    none: "Sie sind sonst nirgends angemeldet.",
    more: "Mehr zeigen",
  },
  example: {
    identifier: "E-Mail",
    password: "Passwort",
    submit: "Anmelden",
    wrong: "E-Mail oder Passwort stimmen nicht.",
  },
  notFound: { title: "Hier ist nichts", text: "Unter dieser Adresse gibt es keine Seite." },
  area: {
    title: "Ihr Konto",
    settings: "Einstellungen",
    devices: "Geräte",
    activity: "Aktivität",
    onThisPage: "Auf dieser Seite",
    wrong: "Fehler: {title}",
  },
  activity: {
    title: "Aktivität",
    help: "Wer sich bei Ihrem Konto angemeldet hat und wer es versucht hat. Wenn Sie das nicht waren, ändern Sie Ihr Passwort und melden Sie die anderen Geräte ab.",
    signedIn: "Angemeldet",
    confirmed: "Identität bestätigt",
    registered: "Konto angelegt",
    recovered: "Konto wiederhergestellt",
    failed: "Anmeldung fehlgeschlagen",
    thisSession: "diese Sitzung",
    none: "Bisher ist nichts geschehen.",
    more: "Mehr zeigen",
    methods: {
      password: "Passwort",
      code: "Code",
      link: "Link",
      totp: "Authenticator-App",
      backupCode: "Ersatzcode",
      passkey: "Passkey",
      oidc: "Konto bei einem anderen Anbieter",
      sms: "Code per SMS",
    },
  },
};

function titled(title: string): string {
  return titles[title] ?? title;
}

/** How long somebody can change their mind. */
function graceIn({ days, hours }: MessageContext): string {
  if (Number(days) > 1) return `${days} Tage lang`;
  return Number(hours) > 1 ? `${hours} Stunden lang` : "Eine Stunde lang";
}

function messagesTo(sentTo: unknown): string {
  return typeof sentTo === "string" && sentTo !== "" ? `den Nachrichten an ${sentTo}` : "Ihren Nachrichten";
}

function noName(what: "Code" | "Link"): string {
  return `Falls es ein Konto gibt, ist ein ${what} an seine Adresse unterwegs.`;
}
