why-title = Pourquoi ce message ?
why-lead = Choisissez un message dans votre historique, ou collez ses en-têtes : la console refait la décision et dit ce qui l’a emporté.
why-when = Reçu
why-sender = Expéditeur
why-bounces = Adresse de retour
why-proof = Preuve de l’expéditeur
why-without = Sans cette entrée
why-proven = Si l’expéditeur était prouvé
why-now = Avec vos listes d’aujourd’hui
why-remove = Retirer { $entry }
why-add-personal = Déclarer personnel
why-add-black = Bloquer cet expéditeur
why-add-white = Accepter cet expéditeur
why-paste-title = Expliquer un message à partir de ses en-têtes
why-paste-how = Dans votre messagerie, ouvrez le message puis « Afficher la source » (ou « Code source du message », « Propriétés »). Copiez tout ce qui précède le texte.
why-headers = En-têtes du message
why-headers-hint = Au moins la ligne « From: » ; les lignes « Return-Path: » et « Authentication-Results: » rendent la réponse plus sûre.
why-explain = Expliquer
why-not-kept = Ce que vous collez ici sert à cette réponse et n’est pas conservé.
why-empty = Collez les en-têtes d’un message.
why-too-long = C’est trop long. Collez seulement les en-têtes, sans le texte ni les pièces jointes.
why-no-sender = Aucun expéditeur lisible là-dedans. Collez les en-têtes entiers, avec la ligne « From: ».

decision-rejected = Refusé
decision-discarded = Non remis
decision-held = Retenu
decision-junked = Classé dans { $folder }
decision-filed = Personnel, classé dans { $folder }
decision-tagged = Personnel, marqué
decision-personal = Personnel
decision-cleared = Accepté, marque de spam retirée
decision-delivered = Remis tel quel
decision-short-another = adressé à un groupe
decision-short-paused = listes en pause
decision-short-personal = vos expéditeurs personnels
decision-short-black = vos expéditeurs bloqués
decision-short-white = vos expéditeurs acceptés
decision-short-organisation = liste de l’organisation
decision-short-not-proven = expéditeur non prouvé
decision-short-protected = expéditeur protégé
decision-would-reject = Le message serait refusé.
decision-would-discard = Le message ne serait pas remis.
decision-would-hold = Le message serait retenu.
decision-would-junk = Le message irait dans les indésirables.
decision-would-be-personal = Le message serait personnel.
decision-would-clear = Le message serait accepté, sans marque de spam.
decision-would-deliver = Le message serait remis tel quel.
decision-by-another = Le message était adressé à un groupe ou à quelqu’un d’autre : aucune liste ne s’y applique.
decision-paused = Vos listes étaient en pause.
decision-nothing = Aucune entrée n’a décidé : ni les vôtres, ni celles de votre organisation.
decision-entry-personal = { $entry } figure dans vos expéditeurs personnels.
decision-entry-black = { $entry } figure dans vos expéditeurs bloqués.
decision-entry-white = { $entry } figure dans vos expéditeurs acceptés.
decision-organisation-black = Votre organisation bloque { $entry }.
decision-organisation-white = Votre organisation accepte { $entry }.
decision-not-proven = L’entrée { $entry } est restée sans effet : rien ne prouvait que le message venait de cet expéditeur.
decision-more-specific = L’entrée { $entry } est restée sans effet : une entrée plus précise l’emporte.
decision-higher-level = L’entrée { $entry } est restée sans effet : une liste de rang supérieur l’emporte.
decision-blocked-wins = L’entrée { $entry } est restée sans effet : bloqué l’emporte sur personnel.
decision-protected = L’entrée { $entry } est restée sans effet : votre organisation protège cet expéditeur.
decision-left-out = Le message avait plusieurs destinataires et n’a pas pu être marqué pour vous seul.
decision-detail-removed = Le dossier que l’expéditeur avait indiqué dans l’adresse a été retiré.
decision-pattern = un motif
decision-proof-passed = { $method } réussi
decision-proof-not-asked = Aucune preuve n’est demandée ici
decision-proof-missing = Rien ne prouve que le message vient de cet expéditeur

how-many-ask = Combien ?
how-many-not-kept = Pour savoir combien de messages cette entrée aurait concernés, activez d’abord votre historique.
how-many-no-data = Aucun message n’est encore noté dans votre historique : impossible de dire combien cette entrée en aurait concerné.
how-many-locked = Votre verrou personnel est fermé : connectez-vous avec votre mot de passe, votre clé d’accès ou votre code de secours pour compter.
how-many-counted =
    { $matched ->
        [0] Cette entrée n’aurait concerné aucun de vos { $messages } messages notés depuis le { $since }.
        [one] Cette entrée aurait concerné un message, sur { $messages } notés depuis le { $since }.
       *[other] Cette entrée aurait concerné { $matched } messages, sur { $messages } notés depuis le { $since }.
    }
how-many-incomplete = Certains messages n’ont pas pu être notés : il peut y en avoir davantage.
